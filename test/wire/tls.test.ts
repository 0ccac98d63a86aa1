import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Record } from "effect"
import { ask, chatBody } from "../support/caller.ts"
import { authority, type Identity, selfSigned } from "../support/certificate.ts"
import { eventually } from "../support/eventually.ts"
import { routeEach } from "../support/gateway.ts"
import { type Program, program } from "../support/program.ts"
import { rawWall } from "../support/rawWall.ts"
import { type Speaks, tlsWall, wall } from "../support/wall.ts"

const trusted = authority()
const past = (day: number) => new Date(Date.UTC(2020, 0, day))
const future = (day: number) => new Date(Date.UTC(2049, 0, day))

const identities: Readonly<Record<string, Identity & Speaks>> = {
  good: trusted.issue(),
  expired: trusted.issue({ from: past(1), until: past(2) }),
  early: trusted.issue({ from: future(1), until: future(2) }),
  elsewhere: trusted.issue({ host: "api.example" }),
  selfSigned: selfSigned(),
  untrusted: authority().issue(),
  http2: { ...trusted.issue(), ALPNProtocols: ["h2"] },
  old: { ...trusted.issue(), minVersion: "TLSv1", maxVersion: "TLSv1.1" }
}

/** What the program's log says of the first attempt on a route, and whether its breaker opened. */
const seen = ({ lines }: Program, route: string) => {
  const of = (message: string) =>
    lines.find((line) => line["message"] === message && line["route"] === route && line["tier"] === "primary")
  return [of("attempt")?.["error_type"], of("breaker")?.["to"]]
}

describe("TLS to an upstream", () => {
  it.scopedLive("is verified: only the right certificate gets the key and the request", () =>
    Effect.gen(function* () {
      const authorityFile = join(mkdtempSync(join(tmpdir(), "understudy-")), "authority.pem")
      writeFileSync(authorityFile, trusted.cert)
      const walls = yield* Effect.all(Record.map(identities, tlsWall))
      const [plain, hangsUp, resets, garbage] = [yield* wall, yield* rawWall, yield* rawWall, yield* rawWall]
      hangsUp.script({ reads: "nothing", ends: "close" })
      resets.script({ reads: "nothing", ends: "reset" })
      garbage.script({ reads: "nothing", writes: ["220 mail.example ESMTP\r\n"] })
      const withTls = (url: string) => url.replace("http:", "https:")
      const urls = {
        ...Record.map(walls, ({ url }) => url),
        plain: withTls(plain.url),
        hangsUp: withTls(hangsUp.url),
        resets: withTls(resets.url),
        garbage: withTls(garbage.url)
      }
      const standby = yield* wall
      const yaml = routeEach(urls, { primary: { retry: { times: 0 } }, standby: standby.url })
      const running = yield* program(yaml, { NODE_EXTRA_CA_CERTS: authorityFile })

      for (const stream of [false, true]) {
        for (const route of Object.keys(urls)) {
          const { headers, status } = yield* ask(running.url, { body: chatBody({ model: route, stream }) })
          const tier = route === "good" ? "primary" : "standby"
          assert.deepStrictEqual([status, headers["x-understudy-tier"]], [200, tier], route)
        }
      }
      yield* eventually(() => running.lines.filter((line) => line["message"] === "run").length === 24)
      assert.deepStrictEqual(
        Object.fromEntries(Object.keys(urls).map((route) => [route, seen(running, route)])),
        {
          good: [undefined, undefined],
          ...Object.fromEntries(
            [
              "expired",
              "early",
              "elsewhere",
              "selfSigned",
              "untrusted",
              "http2",
              "old",
              "plain",
              "garbage"
            ].map((route) => [route, ["tls", "open"]])
          ),
          hangsUp: ["connection", undefined],
          resets: ["connection", undefined]
        }
      )
      const codes = ["expired", "elsewhere", "selfSigned"].map(
        (route) =>
          running.lines.find((line) => line["route"] === route && line["message"] === "attempt")?.[
            "error_code"
          ]
      )
      assert.deepStrictEqual(codes, [
        "CERT_HAS_EXPIRED",
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "DEPTH_ZERO_SELF_SIGNED_CERT"
      ])
      assert.deepStrictEqual(
        Object.values(Record.map(walls, ({ received }) => received.length)),
        [2, 0, 0, 0, 0, 0, 0, 0]
      )
      assert.strictEqual(walls["good"]?.received[0]?.headers.authorization, "Bearer sk-good")
      assert.deepStrictEqual([plain.received.length, garbage.open()], [0, 0])
      // What the log says of it names no address and quotes nobody.
      assert.notMatch(JSON.stringify(running.lines.slice(1)), /sk-|127\.0\.0\.1|api\.example|certificate/i)
    })
  )
})
