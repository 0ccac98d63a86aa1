import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/interop/**", "test/chaos/soak.test.ts", "**/node_modules/**"],
    setupFiles: ["packages/core/test/setup.ts"],
    testTimeout: 20_000
  }
})
