import { Cause, type Context, type Exit, Option, Tracer } from "effect"

const millis = (nanos: bigint): number => Number(nanos / 1_000_000n)

class RecordedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly traceId = "trace"
  readonly sampled = true
  readonly attributes = new Map<string, unknown>()
  readonly events: Array<{
    readonly name: string
    readonly at: bigint
    readonly attributes: Record<string, unknown>
  }> = []
  readonly spanId: string
  readonly name: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly context: Context.Context<never>
  readonly links: ReadonlyArray<Tracer.SpanLink>
  readonly kind: Tracer.SpanKind
  status: Tracer.SpanStatus

  constructor(
    spanId: string,
    ...[name, parent, context, links, startTime, kind]: Parameters<Tracer.Tracer["span"]>
  ) {
    this.spanId = spanId
    this.name = name
    this.parent = parent
    this.context = context
    this.links = links
    this.kind = kind
    this.status = { _tag: "Started", startTime }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (this.status._tag === "Ended") this.event("ended twice", endTime)
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
  }

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }

  event(name: string, at: bigint, attributes: Record<string, unknown> = {}): void {
    this.events.push({ name, at, attributes })
  }

  addLinks(): void {}
}

const ending = ({ status }: RecordedSpan): string => {
  if (status._tag === "Started") return "open"
  const { exit } = status
  const how = exit._tag === "Success" ? "ok" : Cause.isInterruptedOnly(exit.cause) ? "interrupted" : "error"
  return `${millis(status.startTime)}-${millis(status.endTime)} ${how}`
}

/** A tracer, and all its spans as a tree: each with its kind, its time in milliseconds, how it ended and what it says. */
export const recordedSpans = () => {
  const spans: Array<RecordedSpan> = []
  const tracer = Tracer.make({
    span: (...args) => {
      const span = new RecordedSpan(String(spans.length + 1), ...args)
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    spans
      .filter((span) => Option.getOrUndefined(span.parent)?.spanId === parent)
      .flatMap((span) => [
        `${indent}${span.name} (${span.kind}) ${ending(span)}`,
        ...[...span.attributes].map(([key, value]) => `${indent}  ${key}=${JSON.stringify(value)}`),
        ...span.events.map(
          ({ at, attributes, name }) => `${indent}  * ${name} at ${millis(at)} ${JSON.stringify(attributes)}`
        ),
        ...below(span.spanId, `${indent}    `)
      ])
  return {
    tracer,
    tree: () => below(undefined, ""),
    named: (name: string) => spans.filter((span) => span.name === name),
    events: (name: string) =>
      spans.flatMap(({ events }) =>
        events.filter((event) => event.name === name).map(({ attributes }) => attributes)
      )
  }
}
