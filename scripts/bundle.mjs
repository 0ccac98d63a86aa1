// A part of `npm run build`: bundles the gateway into its package.
import { bundle } from "./lib/bundle.mjs"

await bundle()
