import { assert, describe, it } from "@effect/vitest"
import { isLoopback, nameIn, nameInOrigin } from "../src/internal/network/loopback.ts"

describe("a request's host", () => {
  const hosts: Readonly<Record<string, boolean>> = {
    "localhost:8787": true,
    LOCALHOST: true,
    "127.0.0.1:8787": true,
    "127.1.2.3": true,
    "[::1]:8787": true,
    "[::1]": true,
    "127.0.0.1.evil.example": false,
    "localhost.evil.example:80": false,
    "127.1": false,
    "2130706433": false,
    "10.0.0.1": false,
    "[::ffff:127.0.0.1]": false,
    "": false
  }
  for (const [host, expected] of Object.entries(hosts)) {
    it(`"${host}" is ${expected ? "" : "not "}this machine`, () => {
      assert.strictEqual(isLoopback(nameIn(host)), expected)
    })
  }
})

describe("the origin of a page", () => {
  const origins: Readonly<Record<string, boolean>> = {
    "http://localhost:3000": true,
    "https://127.0.0.1": true,
    "http://[::1]:8787": true,
    "https://evil.example": false,
    "http://localhost.evil.example": false,
    "http://evil.example/http://localhost": false,
    "chrome-extension://localhost": false,
    "http://localhost, https://evil.example": false,
    null: false,
    "": false
  }
  for (const [origin, expected] of Object.entries(origins)) {
    it(`"${origin}" is ${expected ? "" : "not "}this machine`, () => {
      assert.strictEqual(isLoopback(nameInOrigin(origin)), expected)
    })
  }
})
