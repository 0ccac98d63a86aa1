/**
 * A map with a few entries on top of another map. Nothing is copied until it is iterated, or changed, which Effect does
 * in a copy.
 */
export abstract class Overlay<K, V> implements ReadonlyMap<K, V> {
  private copy: Map<K, V> | undefined

  abstract get(key: K): V | undefined

  abstract has(key: K): boolean

  /** All entries, in a new map. */
  protected abstract copied(): Map<K, V>

  get size(): number {
    return this.all.size
  }

  forEach(f: (value: V, key: K, map: Map<K, V>) => void): void {
    this.all.forEach(f)
  }

  keys(): MapIterator<K> {
    return this.all.keys()
  }

  values(): MapIterator<V> {
    return this.all.values()
  }

  entries(): MapIterator<[K, V]> {
    return this.all.entries()
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  get all(): Map<K, V> {
    this.copy ??= this.copied()
    return this.copy
  }
}

/** Twice as fast as the `Map` constructor. */
export const copyOf = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => {
  const copy = new Map<K, V>()
  map.forEach((value, key) => {
    copy.set(key, value)
  })
  return copy
}
