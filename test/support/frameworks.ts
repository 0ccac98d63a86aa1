import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { AIMessageChunk } from "@langchain/core/messages"
import { ChatOpenAI } from "@langchain/openai"
import { generateText, jsonSchema, streamText, type ToolSet } from "ai"

/** What a framework made of an answer. */
export interface Reply {
  readonly text: string
  readonly calls: ReadonlyArray<readonly [tool: string, input: unknown]>
}

/** What an application can read from a framework's error. */
export interface Told {
  readonly status: unknown
  readonly code: unknown
  readonly message: unknown
}

/** A framework that asks the gateway "Hi" through a client of its own, with a tool `add`. */
export interface Framework {
  readonly whole: () => Promise<Reply>
  /** Gives text to `into` as it comes, and throws whatever the framework reports. */
  readonly streamed: (into?: Array<string>) => Promise<Reply>
  readonly told: (error: unknown) => Told
}

const parameters = { type: "object", properties: { a: { type: "number" } }, required: ["a"] } as const

const aiSdk = (baseURL: string): Framework => {
  const tools: ToolSet = { add: { inputSchema: jsonSchema<never>(parameters) } }
  const options = {
    model: createOpenAICompatible({ name: "understudy", baseURL, apiKey: "any" })("chat"),
    prompt: "Hi",
    maxRetries: 0,
    tools
  }
  return {
    whole: async () => {
      const { text, toolCalls } = await generateText(options)
      return { text, calls: toolCalls.map(({ input, toolName }) => [toolName, input]) }
    },
    streamed: async (into = []) => {
      const calls: Array<Reply["calls"][number]> = []
      for await (const part of streamText({ ...options, onError: () => {} }).fullStream) {
        if (part.type === "text-delta") into.push(part.text)
        else if (part.type === "tool-call") calls.push([part.toolName, part.input])
        else if (part.type === "error") throw part.error
      }
      return { text: into.join(""), calls }
    },
    told: (error) => {
      const body = field(field(error, "data"), "error") ?? error
      return {
        status: field(error, "statusCode"),
        code: field(body, "code"),
        message: field(body, "message")
      }
    }
  }
}

const langChain = (baseURL: string): Framework => {
  const model = new ChatOpenAI({
    model: "chat",
    apiKey: "any",
    maxRetries: 0,
    configuration: { baseURL }
  }).bindTools([{ type: "function", function: { name: "add", parameters } }])
  const replyOf = ({ text, tool_calls = [] }: AIMessageChunk): Reply => ({
    text,
    calls: tool_calls.map(({ args, name }) => [name, args])
  })
  return {
    whole: async () => replyOf(await model.invoke("Hi")),
    streamed: async (into = []) => {
      let all = new AIMessageChunk("")
      for await (const chunk of await model.stream("Hi")) {
        into.push(chunk.text)
        all = all.concat(chunk)
      }
      return replyOf(all)
    },
    told: (error) => ({
      status: field(error, "status"),
      code: field(error, "code"),
      message: field(field(error, "error"), "message")
    })
  }
}

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? new Map(Object.entries(value)).get(name) : undefined

export const frameworks: ReadonlyArray<readonly [string, (baseURL: string) => Framework]> = [
  ["the AI SDK", aiSdk],
  ["LangChain", langChain]
]
