import * as Either from "effect/Either"
import type * as RawJson from "../bytes/rawJson.ts"
import { fieldsOf, refuse, type Translation } from "./fields.ts"

const imageTypes: Readonly<Record<string, string>> = {
  "image/jpeg": "image/jpeg",
  "image/jpg": "image/jpeg",
  "image/png": "image/png",
  "image/gif": "image/gif",
  "image/webp": "image/webp"
}

export const imageBlock = (value: unknown, path: string): Translation<RawJson.Text> =>
  Either.gen(function* () {
    const { cache_control, image_url } = yield* fieldsOf(value, "image_url", path)
    const { url } = yield* fieldsOf(image_url, "imageUrl", `${path}.image_url`)
    const source = yield* imageSource(url, `${path}.image_url.url`)
    return JSON.stringify({ type: "image", source, cache_control })
  })

const imageSource = (url: unknown, path: string): Translation<object> => {
  if (typeof url === "string" && /^https?:/i.test(url)) return Either.right({ type: "url", url })
  const data = dataUrl(url)
  if (data === undefined) return refuse(path, "is no http, https or base64 data URL", "send one of these")
  const media_type = Object.hasOwn(imageTypes, data.mediaType) ? imageTypes[data.mediaType] : undefined
  return media_type === undefined
    ? refuse(path, "is of a type that Anthropic's API does not take", "send a JPEG, PNG, GIF or WebP")
    : Either.right({ type: "base64", media_type, data: data.base64 })
}

export const documentBlock = (value: unknown, path: string): Translation<RawJson.Text> =>
  Either.gen(function* () {
    const { cache_control, file } = yield* fieldsOf(value, "file", path)
    const { file_data, filename: title } = yield* fieldsOf(file, "fileData", `${path}.file`)
    const data = dataUrl(file_data)
    if (data?.mediaType !== "application/pdf") {
      return yield* refuse(`${path}.file.file_data`, "is no PDF", "send a PDF as a base64 data URL")
    }
    const source = { type: "base64", media_type: "application/pdf", data: data.base64 }
    return JSON.stringify({ type: "document", source, title, cache_control })
  })

/** `undefined` unless it is a base64 data URL. */
const dataUrl = (url: unknown): { readonly mediaType: string; readonly base64: string } | undefined => {
  if (typeof url !== "string") return undefined
  const comma = url.indexOf(",")
  const [scheme = "", ...parameters] = url.slice(0, comma).toLowerCase().split(";")
  return comma > 0 && scheme.startsWith("data:") && parameters.at(-1)?.trim() === "base64"
    ? { mediaType: scheme.slice("data:".length).trim(), base64: url.slice(comma + 1) }
    : undefined
}
