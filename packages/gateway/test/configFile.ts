import { Either } from "effect"
import * as Config from "../src/Config.ts"

export const file = "understudy.yaml"

export const parse = (text: string, env: Record<string, string | undefined> = {}) =>
  Config.parse(text, file, env)

export const accepted = (text: string, env: Record<string, string | undefined> = {}): Config.Config =>
  Either.getOrThrowWith(parse(text, env), (error) => error)

export const refusal = (text: string, env: Record<string, string | undefined> = {}): string =>
  Either.match(parse(text, env), { onLeft: (error) => error.message, onRight: () => "accepted" })

/** A file that is right but for what a test puts into it. */
export const yaml = (
  change: { server?: string; provider?: string; route?: string; tier?: string } = {}
): string =>
  `server: { ${change.server ?? ""} }
providers:
  openai: { ${change.provider ?? "kind: openai, baseUrl: https://api.openai.com/v1"} }
routes:
  chat:
    ${change.route ?? "maxTiers: 1"}
    tiers:
      - name: primary
        provider: openai
        model: gpt-4.1
        ${change.tier ?? ""}
`

export const tier = (text: string): string => yaml({ tier: text })
export const server = (text: string): string => yaml({ server: text })
export const provider = (text: string): string => yaml({ provider: text })
export const openai = (text: string): string => provider(`kind: openai, baseUrl: "http://a/v1", ${text}`)
