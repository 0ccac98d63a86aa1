import * as Anthropic from "@understudy/http/Anthropic"
import * as AzureOpenAi from "@understudy/http/AzureOpenAi"
import * as OpenAiCompatible from "@understudy/http/OpenAiCompatible"
import type { Provider } from "@understudy/http/Provider"
import * as Sandbox from "@understudy/http/Sandbox"
import type { Upstream } from "@understudy/http/Upstream"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { Account, Provider as ProviderConfig } from "../file/providerFile.ts"

/** A provider as the file describes it. */
export const make = (name: string, provider: ProviderConfig, upstream: Upstream): Provider => {
  switch (provider.kind) {
    case "openai":
      return OpenAiCompatible.make({ ...provider, ...account(provider), name, upstream })
    case "azure":
      return AzureOpenAi.make({ ...provider, ...account(provider), name, upstream })
    case "anthropic":
      return Anthropic.make({ ...provider, ...account(provider), name, upstream })
    case "sandbox":
      return Sandbox.make({ ...provider, name })
  }
}

const account = ({ errors = [], headers = {} }: Account) => ({
  headers: Record.map(headers, Redacted.value),
  errors: errors.map((row) => ({ name: "of the file", ...row }))
})
