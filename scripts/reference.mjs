// `npm run reference`: the API reference, made of the docstrings, as HTML in dist/reference.
import { install } from "./lib/install.mjs"

install()
await import("./reference/main.mjs")
