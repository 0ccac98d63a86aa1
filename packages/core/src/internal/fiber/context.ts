import * as Context from "effect/Context"
import { copyOf, Overlay } from "./overlay.ts"

type Services = ReadonlyMap<string, unknown>

/**
 * `Context.add` without a copy of the context.
 *
 * @example
 * import { Context } from "effect"
 * import { Thin } from "@understudy/core"
 *
 * class Language extends Context.Tag("Language")<Language, string>() {}
 *
 * console.log(Context.get(Thin.contextWith(Context.empty(), Language, "de"), Language)) // => de
 *
 * @since 0.1.0
 * @category context
 */
export const contextWith = <R, I, S>(
  context: Context.Context<R>,
  tag: Context.Tag<I, S>,
  service: NoInfer<S>
): Context.Context<R | I> => asContext(new OneMore(context.unsafeMap, tag.key, service))

class OneMore extends Overlay<string, unknown> {
  private readonly around: Services
  private readonly key: string
  private readonly service: unknown

  constructor(around: Services, key: string, service: unknown) {
    super()
    this.around = around
    this.key = key
    this.service = service
  }

  has(key: string): boolean {
    return key === this.key || this.around.has(key)
  }

  get(key: string): unknown {
    return key === this.key ? this.service : this.around.get(key)
  }

  protected copied(): Map<string, unknown> {
    return copyOf(this.around).set(this.key, this.service)
  }
}

/** Safe, since Effect only reads this map and copies it to change it. */
export const asContext = <R>(services: Services): Context.Context<R> =>
  Context.unsafeMake(services as Map<string, unknown>)
