import { defineConfig, mergeConfig } from "vitest/config"
import base from "./vitest.config.ts"

// One thread for all files loads effect once a mutant; our own modules are loaded anew for each file all the same.
export default mergeConfig(base, defineConfig({ test: { poolOptions: { threads: { singleThread: true } } } }))
