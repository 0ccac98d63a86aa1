import type { Pull } from "@understudy/core/FallbackStream"
import type { Part } from "../../Provider.ts"
import type { ProviderError } from "../../ProviderError.ts"

/** The next parts of an answer. */
export type Parts = Pull<Part, ProviderError>
