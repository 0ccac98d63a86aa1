import { defineConfig } from "vitest/config"

export default defineConfig({
  // One after the other: what one costs must not be counted as the other's.
  test: { include: ["test/chaos/*.test.ts"], fileParallelism: false }
})
