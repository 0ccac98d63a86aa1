import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

/**
 * A synchronous `Effect.makeSpan` without a stack trace, which does nothing if tracing is off. If the run has no span,
 * its tiers have none.
 */
export const openSpan = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  name: string,
  kind: Tracer.SpanKind,
  attributes: Readonly<Record<string, unknown>> = {},
  within?: Tracer.Span
): Tracer.Span | undefined => {
  if (!fiber.getFiberRef(FiberRef.currentTracerEnabled)) return undefined
  const services = fiber.getFiberRef(DefaultServices.currentServices)
  const now = Context.get(services, Clock.Clock).unsafeCurrentTimeNanos()
  const parent = within ?? Option.getOrUndefined(Context.getOption(fiber.currentContext, Tracer.ParentSpan))
  const span = Context.get(services, Tracer.Tracer).span(
    name,
    propagated(parent),
    Context.empty(),
    Chunk.toReadonlyArray(fiber.getFiberRef(FiberRef.currentTracerSpanLinks)),
    now,
    kind,
    // Passed at creation, since samplers do not see attributes that are set later.
    { captureStackTrace: false, attributes }
  )
  if (!span.sampled) return span
  HashMap.forEach(fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations), (value, key) =>
    span.attribute(key, value)
  )
  annotate(span, attributes)
  return span
}

export const annotate = (span: Tracer.Span, attributes: Readonly<Record<string, unknown>>): void => {
  for (const key in attributes) span.attribute(key, attributes[key])
}

/** The nearest ancestor with propagation enabled. */
const propagated = (span: Tracer.AnySpan | undefined): Option.Option<Tracer.AnySpan> => {
  if (span === undefined) return Option.none()
  if (!Context.get(span.context, Tracer.DisablePropagation)) return Option.some(span)
  return span._tag === "Span" ? propagated(Option.getOrUndefined(span.parent)) : Option.none()
}
