import { left } from "../drawing/figures.ts"

/**
 * Keeps the page up to date: while visible, it fetches itself every two seconds and replaces what has changed.
 * Countdowns run in between. All content is rendered by the server.
 */
export const script = `
const every = 2000
const live = document.getElementById("live")
let shownAt = Date.now()
let timer

const left = ${left}

const tick = () => {
  for (const time of document.querySelectorAll("[data-in]")) {
    const text = left(Number(time.dataset.in) - (Date.now() - shownAt))
    if (time.textContent !== text) time.textContent = text
  }
}

const say = (text, lost) => {
  if (live.textContent !== text) live.textContent = text
  document.body.classList.toggle("lost", lost)
}

const shown = new Map()
const note = (part) => shown.set(part.id, part.innerHTML)

const show = (page) => {
  shownAt = Date.now()
  document.title = page.title
  document.querySelector("link[rel=icon]").href = page.querySelector("link[rel=icon]").href
  for (const part of page.querySelectorAll("[data-live]")) {
    if (shown.get(part.id) !== part.innerHTML) document.getElementById(part.id).innerHTML = part.innerHTML
    note(part)
  }
  tick()
}

const refresh = async () => {
  try {
    const answer = await fetch(location.origin + location.pathname, { signal: AbortSignal.timeout(5000) })
    if (!answer.ok) throw new Error(String(answer.status))
    show(new DOMParser().parseFromString(await answer.text(), "text/html"))
    say("Live", false)
  } catch (error) {
    say(error.message === "401" ? "The key is asked for again: reload the page." : "The gateway does not answer.", true)
  }
  if (!document.hidden) timer = setTimeout(refresh, every)
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer)
  if (!document.hidden) refresh()
})
setInterval(() => document.hidden || tick(), 250)
for (const part of document.querySelectorAll("[data-live]")) note(part)
say("Live", false)
if (!document.hidden) timer = setTimeout(refresh, every)
`
