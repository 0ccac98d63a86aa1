import { relative } from "node:path"
import { defineConfig, mergeConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import base from "./vitest.config.ts"

/** Most mutants are noticed by what takes no time. */
class QuickestFirst extends BaseSequencer {
  override sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const took = ({ moduleId, project }: TestSpecification): number => {
      const key = `${project.name}:${relative(this.ctx.config.root, moduleId)}`
      return this.ctx.cache.getFileTestResults(key)?.duration ?? 0
    }
    return Promise.resolve(files.toSorted((a, b) => took(a) - took(b)))
  }
}

export default mergeConfig(
  base,
  defineConfig({
    test: {
      sequence: { sequencer: QuickestFirst },
      // Effect is loaded once a mutant; our own modules are loaded anew for each file all the same.
      poolOptions: { threads: { singleThread: true } }
    }
  })
)
