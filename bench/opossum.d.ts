/** What is used of opossum, which ships no types. */
declare module "opossum" {
  export default class CircuitBreaker<A> {
    constructor(
      action: () => Promise<A>,
      options: {
        readonly timeout: number
        readonly resetTimeout: number
        readonly volumeThreshold: number
        readonly errorThresholdPercentage: number
      }
    )
    fallback(next: () => Promise<A>): this
    fire(): Promise<A>
  }
}
