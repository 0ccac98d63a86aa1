import { check } from "./check.ts"
import type { Command } from "./command.ts"
import { completion } from "./completion.ts"
import { probe } from "./probe.ts"
import { replay } from "./replay.ts"
import { report } from "./report.ts"
import { rules } from "./rules.ts"
import { schema } from "./schema.ts"
import { serve } from "./serve.ts"
import { simulate } from "./simulate.ts"

const named = [serve, check, probe, simulate, replay, rules, report, schema]

export const commands: ReadonlyArray<Command> = [...named, completion(named)]
