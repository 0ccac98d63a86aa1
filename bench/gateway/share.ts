import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/**
 * Lets each process of a server have no more than three tenths of a core while something is done, so that callers and
 * upstream have time left on the same cores, whatever they need. Where the kernel's groups cannot be written nobody is held
 * back, and that is said.
 */
export const inShares = async <A>(pid: number, f: () => Promise<A>): Promise<A> => {
  const groups = held(pid)
  try {
    return await f()
  } finally {
    for (const { folder, pids } of groups) {
      for (const each of pids) writeFileSync(join(root, "cgroup.procs"), String(each))
      rmdirSync(folder)
    }
  }
}

interface Group {
  readonly folder: string
  readonly pids: ReadonlyArray<number>
}

/** Version 1 has a tree of groups for what they share of the CPU, version 2 one for everything. */
const root = existsSync("/sys/fs/cgroup/cpu") ? "/sys/fs/cgroup/cpu" : "/sys/fs/cgroup"

/**
 * Microseconds; the kernel's own period. Whoever goes on after a pause finds the caches full of what others did: the shorter the
 * period, the more is measured of that, which nobody has who has a core.
 */
const share = { quota: 30_000, period: 100_000 }

const held = (pid: number): ReadonlyArray<Group> => {
  try {
    const [first, ...others] = childrenOf(pid)
    // The parent of workers has little to do, and does it on the same cores.
    const together = [[pid, ...(first === undefined ? [] : [first])], ...others.map((each) => [each])]
    return together.map(hold)
  } catch (error) {
    process.stderr.write(` (no shares of a core: ${error instanceof Error ? error.message : error})`)
    return []
  }
}

const hold = (pids: ReadonlyArray<number>): Group => {
  const folder = join(root, `understudy-bench-${pids.join("-")}`)
  mkdirSync(folder, { recursive: true })
  const { period, quota } = share
  if (existsSync(join(folder, "cpu.max"))) writeFileSync(join(folder, "cpu.max"), `${quota} ${period}`)
  else {
    writeFileSync(join(folder, "cpu.cfs_period_us"), String(period))
    writeFileSync(join(folder, "cpu.cfs_quota_us"), String(quota))
  }
  for (const each of pids) writeFileSync(join(folder, "cgroup.procs"), String(each))
  return { folder, pids }
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)
