/** Limits how many requests may be in flight at once. */
export * as Admission from "./Admission.ts"
/** A provider that speaks Anthropic's Messages API. */
export * as Anthropic from "./Anthropic.ts"
/** An Azure OpenAI resource as a provider. */
export * as AzureOpenAi from "./AzureOpenAi.ts"
/** The gateway's own API keys, which decide who may call it. */
export * as Callers from "./Callers.ts"
/** Thin views over chat completions, whose bytes stay unchanged. */
export * as ChatCompletion from "./ChatCompletion.ts"
/** A chat model with fallback: the typed client of chat completions. */
export * as ChatModel from "./ChatModel.ts"
/** Opt-in capture of prompts and answers on spans. */
export * as ContentCapture from "./ContentCapture.ts"
/** The meaning of providers' errors, as one table. */
export * as ErrorTable from "./ErrorTable.ts"
/** A provider that speaks OpenAI's protocol. */
export * as OpenAiCompatible from "./OpenAiCompatible.ts"
/** The server side of OpenAI's protocol. */
export * as OpenAiRouter from "./OpenAiRouter.ts"
/** An upstream account that answers chat completions. */
export * as Provider from "./Provider.ts"
/** Why a provider did not answer, and the outcome of that. */
export * as ProviderError from "./ProviderError.ts"
/** The differences between a server and OpenAI, as data. */
export * as Quirks from "./Quirks.ts"
/** A name that callers ask for, and the policy behind it. */
export * as Route from "./Route.ts"
/** A provider without a network, which fails on demand. */
export * as Sandbox from "./Sandbox.ts"
/** Server-sent events, read from bytes and written back. */
export * as Sse from "./Sse.ts"
/** The port that every provider sends through. */
export * as Upstream from "./Upstream.ts"
