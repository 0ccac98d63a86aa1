/**
 * Numbers in [0, 1) that depend only on their key and not on earlier draws, so that the same happens to a request under
 * every policy. The mixing is that of splitmix32.
 */
export class Draws {
  private state: number

  constructor(seed: number, ...key: ReadonlyArray<number>) {
    this.state = key.reduce((state, part) => mix(state ^ mix(part + step)), mix(seed))
  }

  next(): number {
    this.state = (this.state + step) | 0
    return mix(this.state) / 2 ** 32
  }
}

const step = 0x9e3779b9

const mix = (value: number): number => {
  let z = value | 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return (z ^ (z >>> 15)) >>> 0
}
