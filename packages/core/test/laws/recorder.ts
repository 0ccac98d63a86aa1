import { type Context, type Exit, Option, Tracer } from "effect"
import { shapeOfExit } from "./shape.ts"

/** What is left of a span when all that is random is taken away. */
export interface Recorded {
  readonly name: string
  readonly parent: string | undefined
  readonly start: bigint
  readonly attributes: Record<string, unknown>
  readonly events: Array<string>
  end: bigint | undefined
  exit: string | undefined
}

/** A tracer that counts its spans, where Effect's own draws their ids from `Math.random`. */
export const recorder = () => {
  const spans: Array<Recorded> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const recorded: Recorded = {
        name,
        parent: Option.getOrUndefined(Option.map(parent, ({ spanId }) => spanId)),
        start: startTime,
        attributes: {},
        events: [],
        end: undefined,
        exit: undefined
      }
      return new RecordedSpan(`${spans.push(recorded)}`, recorded, parent, context, links, kind)
    },
    context: (f) => f()
  })
  return { spans, tracer }
}

class RecordedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly traceId = "trace"
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly name: string
  status: Tracer.SpanStatus
  readonly spanId: string
  readonly recorded: Recorded
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly links: ReadonlyArray<Tracer.SpanLink>
  readonly kind: Tracer.SpanKind

  constructor(
    spanId: string,
    recorded: Recorded,
    parent: Option.Option<Tracer.AnySpan>,
    context: Context.Context<never>,
    links: ReadonlyArray<Tracer.SpanLink>,
    kind: Tracer.SpanKind
  ) {
    this.spanId = spanId
    this.recorded = recorded
    this.parent = parent
    this.context = context
    this.links = links
    this.kind = kind
    this.name = recorded.name
    this.status = { _tag: "Started", startTime: recorded.start }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.recorded.end = endTime
    this.recorded.exit = shapeOfExit(exit)
    this.status = { _tag: "Ended", startTime: this.recorded.start, endTime, exit }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
    this.recorded.attributes[key] = value
  }

  event(name: string): void {
    this.recorded.events.push(name)
  }

  addLinks(): void {}
}
