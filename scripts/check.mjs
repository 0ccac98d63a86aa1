// `npm run check`: what can be said of a change in seconds.
import { install } from "./lib/install.mjs"
import { quick } from "./lib/quick.mjs"
import { finish } from "./lib/steps.mjs"

install()
await quick()
finish()
