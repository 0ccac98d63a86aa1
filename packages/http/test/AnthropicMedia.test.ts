import { describe } from "@effect/vitest"
import { refuses, sends } from "./anthropic.ts"

const image = (url: string) => ({ type: "image_url", image_url: { url } })
const pdf = "data:application/pdf;base64,JVBERi0="
const user = (...content: ReadonlyArray<object>) => ({ role: "user", content })

describe("Anthropic: images and documents", () => {
  const parts = (name: string, part: object, expected: object) =>
    sends(name, { messages: [user(part)] }, { messages: [user(expected)] })

  for (const url of ["https://a/b.png?c=%20d", "HTTP://a"]) {
    parts(url, image(url), { type: "image", source: { type: "url", url } })
  }
  for (const [type, media_type] of [
    ["image/jpeg", "image/jpeg"],
    ["image/jpg", "image/jpeg"],
    ["IMAGE/PNG", "image/png"],
    ["image/gif;charset=x", "image/gif"],
    ["image/webp", "image/webp"]
  ]) {
    parts(type!, image(`data:${type};base64,iVBO/w+=`), {
      type: "image",
      source: { type: "base64", media_type, data: "iVBO/w+=" }
    })
  }
  parts(
    "a PDF, with its name and a breakpoint of the cache",
    { type: "file", file: { file_data: pdf, filename: "a.pdf" }, cache_control: { type: "ephemeral" } },
    {
      type: "document",
      source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
      title: "a.pdf",
      cache_control: { type: "ephemeral" }
    }
  )
  parts(
    "a detail and a breakpoint of OpenAI's cache are passed over",
    {
      type: "image_url",
      image_url: { url: "http://a", detail: "low" },
      prompt_cache_breakpoint: { mode: "explicit" }
    },
    { type: "image", source: { type: "url", url: "http://a" } }
  )

  const url = "messages[0].content[0].image_url.url"
  for (const wrong of [
    "ftp://a",
    "data:image/png,abc",
    "data:image/png;base64",
    "",
    "data",
    "javascript:0"
  ]) {
    refuses(`no image: ${wrong}`, { messages: [user(image(wrong))] }, url, "send one of these")
  }
  refuses(
    "a bitmap",
    { messages: [user(image("data:image/bmp;base64,AA"))] },
    url,
    "send a JPEG, PNG, GIF or WebP"
  )
  refuses(
    "a type that every object has",
    { messages: [user(image("data:constructor;base64,AAAA"))] },
    url,
    "send a JPEG, PNG, GIF or WebP"
  )
  refuses(
    "a text",
    { messages: [user(image("data:text/plain;base64,AA"))] },
    url,
    "send a JPEG, PNG, GIF or WebP"
  )
  refuses(
    "a file that is elsewhere",
    { messages: [user({ type: "file", file: { file_id: "file-1" } })] },
    "messages[0].content[0].file.file_id",
    "send the file itself as `file_data`"
  )
  for (const file_data of ["data:text/plain;base64,AA", "JVBERi0=", "https://a/b.pdf"]) {
    refuses(
      `no PDF: ${file_data}`,
      { messages: [user({ type: "file", file: { file_data } })] },
      "messages[0].content[0].file.file_data",
      "send a PDF as a base64 data URL"
    )
  }
})
