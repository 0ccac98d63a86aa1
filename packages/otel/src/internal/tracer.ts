import type * as Otel from "@opentelemetry/api"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

type Api = typeof import("@opentelemetry/api")

/** The names that an attribute goes out under. */
type Names = (name: string) => ReadonlyArray<string>

/**
 * Effect's spans as OpenTelemetry's. Unlike `@effect/opentelemetry`, initial attributes are visible to the sampler,
 * lists stay lists, and spans below an unsampled one cost next to nothing.
 */
export const make = (api: Api, tracer: Otel.Tracer, names: Names): Tracer.Tracer =>
  Tracer.make({
    span: (name, parent, context, links, startTime, kind, options) => {
      const above = Option.getOrUndefined(parent)
      if (above instanceof Unsampled)
        return new Unsampled(above, name, above, context, links, startTime, kind)
      const active = api.context.active()
      const around =
        above === undefined
          ? options?.root === true
            ? api.trace.deleteSpan(active)
            : active
          : above instanceof OtelSpan
            ? api.trace.setSpan(active, above.span)
            : api.trace.setSpanContext(active, contextOf(above))
      const attributes = options?.attributes
      const span = tracer.startSpan(
        name,
        {
          kind: kinds.indexOf(kind),
          startTime: hrTime(startTime),
          links: links.map(linkOf),
          ...(attributes && { attributes: renamed(attributes, names) })
        },
        around
      )
      const ids = span.spanContext()
      return span.isRecording()
        ? new OtelSpan(api, span, names, name, above, context, links, startTime, kind)
        : new Unsampled(ids, name, above, context, links, startTime, kind)
    },
    // No OpenTelemetry context is maintained, since this is called for every step of every effect.
    context: (execute) => execute()
  })

const kinds: ReadonlyArray<Tracer.SpanKind> = ["internal", "server", "client", "producer", "consumer"]

type Rest = readonly [
  name: string,
  above: Tracer.AnySpan | undefined,
  context: Context.Context<never>,
  links: ReadonlyArray<Tracer.SpanLink>,
  startTime: bigint,
  kind: Tracer.SpanKind
]

abstract class Base implements Tracer.Span {
  readonly _tag = "Span"
  readonly name: string
  readonly context: Context.Context<never>
  readonly kind: Tracer.SpanKind
  links: ReadonlyArray<Tracer.SpanLink>
  private readonly above: Tracer.AnySpan | undefined
  private readonly startTime: bigint
  private ended: Tracer.SpanStatus | undefined
  abstract readonly spanId: string
  abstract readonly traceId: string
  abstract readonly sampled: boolean
  abstract readonly attributes: ReadonlyMap<string, unknown>

  constructor(...[name, above, context, links, startTime, kind]: Rest) {
    this.name = name
    this.above = above
    this.context = context
    this.links = links
    this.kind = kind
    this.startTime = startTime
  }

  /** Made on demand: nobody asks a span that waits for its end. */
  get parent(): Option.Option<Tracer.AnySpan> {
    return Option.fromNullable(this.above)
  }

  get status(): Tracer.SpanStatus {
    return this.ended ?? { _tag: "Started", startTime: this.startTime }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.ended = { _tag: "Ended", startTime: this.startTime, endTime, exit }
  }

  abstract attribute(key: string, value: unknown): void
  abstract event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void
  abstract addLinks(links: ReadonlyArray<Tracer.SpanLink>): void
}

/** An unsampled span, whose descendants share its ids. */
class Unsampled extends Base {
  readonly spanId: string
  readonly traceId: string

  constructor(ids: { readonly spanId: string; readonly traceId: string }, ...rest: Rest) {
    super(...rest)
    this.spanId = ids.spanId
    this.traceId = ids.traceId
  }

  get sampled(): boolean {
    return false
  }

  get attributes(): ReadonlyMap<string, unknown> {
    return nothing
  }

  attribute(): void {}
  event(): void {}
  addLinks(): void {}
}

const nothing: ReadonlyMap<string, unknown> = new Map()

class OtelSpan extends Base {
  readonly span: Otel.Span
  readonly spanId: string
  readonly traceId: string
  readonly sampled: boolean
  readonly attributes = new Map<string, unknown>()
  private readonly api: Api
  private readonly names: Names

  constructor(api: Api, span: Otel.Span, names: Names, ...rest: Rest) {
    super(...rest)
    const { spanId, traceFlags, traceId } = span.spanContext()
    this.api = api
    this.span = span
    this.names = names
    this.spanId = spanId
    this.traceId = traceId
    this.sampled = (traceFlags & api.TraceFlags.SAMPLED) !== 0
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    const sent = attributeValue(value)
    if (sent !== undefined) for (const name of this.names(key)) this.span.setAttribute(name, sent)
  }

  event(name: string, startTime: bigint, attributes: Record<string, unknown> = {}): void {
    this.span.addEvent(name, renamed(attributes, this.names), hrTime(startTime))
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links = [...this.links, ...links]
    this.span.addLinks(links.map(linkOf))
  }

  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    super.end(endTime, exit)
    const { ERROR, OK } = this.api.SpanStatusCode
    const at = hrTime(endTime)
    const [error] =
      exit._tag === "Success" || Cause.isInterruptedOnly(exit.cause) ? [] : Cause.prettyErrors(exit.cause)
    if (exit._tag === "Failure" && error !== undefined) {
      error.stack = Cause.pretty(exit.cause, { renderErrorCause: true })
      this.span.recordException(error, at)
      this.span.setStatus({ code: ERROR, message: error.message })
    } else {
      // OpenTelemetry has no status for cancellation.
      if (exit._tag === "Failure") this.span.setAttribute("status.interrupted", true)
      this.span.setStatus({ code: OK })
    }
    this.span.end(at)
  }
}

const contextOf = (span: Tracer.AnySpan): Otel.SpanContext => ({
  spanId: span.spanId,
  traceId: span.traceId,
  isRemote: span._tag === "ExternalSpan",
  traceFlags: span.sampled ? 1 : 0
})

const linkOf = ({ attributes, span }: Tracer.SpanLink): Otel.Link => ({
  context: contextOf(span),
  attributes: renamed(attributes, (name) => [name])
})

const renamed = (attributes: Readonly<Record<string, unknown>>, names: Names): Otel.Attributes => {
  const sent: Otel.Attributes = {}
  for (const key in attributes) {
    const value = attributeValue(attributes[key])
    if (value !== undefined) for (const name of names(key)) sent[name] = value
  }
  return sent
}

const attributeValue = (value: unknown): Otel.AttributeValue | undefined => {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value
    case "undefined":
      return undefined
    default:
      return Array.isArray(value) ? listOf(value) : Inspectable.toStringUnknown(value, 0)
  }
}

/** OpenTelemetry's lists are homogeneous. */
const listOf = (values: ReadonlyArray<unknown>): Otel.AttributeValue =>
  values.every((value) => typeof value === "number")
    ? [...values]
    : values.map((value) => (typeof value === "string" ? value : Inspectable.toStringUnknown(value, 0)))

const billion = 1_000_000_000n

export const hrTime = (nanos: bigint): Otel.HrTime => [Number(nanos / billion), Number(nanos % billion)]
