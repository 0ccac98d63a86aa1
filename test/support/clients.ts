import OpenAi5 from "openai5"
import OpenAi7 from "openai7"

/** Both majors of the real client; their types agree in all that the tests use. */
export const clients: ReadonlyArray<readonly [string, typeof OpenAi7]> = [
  ["openai@5", OpenAi5 as unknown as typeof OpenAi7],
  ["openai@7", OpenAi7]
]

export const gather = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for await (const item of items) all.push(item)
  return all
}
