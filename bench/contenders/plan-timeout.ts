import { plan } from "./plan.ts"

export default plan(true)
