import * as Effect from "effect/Effect"
import { ofEffect } from "../contender.ts"

export default ofEffect((_, [upstream]) => Effect.succeed(upstream!.asEffect))
