import * as cockatiel3 from "cockatiel3"
import { cockatiel } from "./cockatiel.ts"

export default cockatiel(cockatiel3 as unknown as Parameters<typeof cockatiel>[0])
