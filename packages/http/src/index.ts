/** How many requests may be under way at once. */
export * as Admission from "./Admission.ts"
/** A provider that speaks Anthropic's Messages API. */
export * as Anthropic from "./Anthropic.ts"
/** OpenAI's protocol as Azure serves it. */
export * as AzureOpenAi from "./AzureOpenAi.ts"
/** Who may call: the gateway's own API keys. */
export * as Callers from "./Callers.ts"
/** Thin views over untouched JSON. */
export * as ChatCompletion from "./ChatCompletion.ts"
/** A chat model that answers although one of its tiers does not. */
export * as ChatModel from "./ChatModel.ts"
/** Prompts and answers on spans, for who asks for that. */
export * as ContentCapture from "./ContentCapture.ts"
/** What an upstream's error means, as one table. */
export * as ErrorTable from "./ErrorTable.ts"
/** A provider that speaks OpenAI's own protocol. */
export * as OpenAiCompatible from "./OpenAiCompatible.ts"
/** The server side of OpenAI's protocol. */
export * as OpenAiRouter from "./OpenAiRouter.ts"
/** An upstream account that answers chat completions. */
export * as Provider from "./Provider.ts"
/** Why a provider gave no answer. */
export * as ProviderError from "./ProviderError.ts"
/** What a server does not take as OpenAI does. */
export * as Quirks from "./Quirks.ts"
/** A name callers ask for, and the tiers behind it. */
export * as Route from "./Route.ts"
/** A provider without a network. */
export * as Sandbox from "./Sandbox.ts"
/** Server-sent events, read from bytes and written back. */
export * as Sse from "./Sse.ts"
/** The port every provider sends through. */
export * as Upstream from "./Upstream.ts"
