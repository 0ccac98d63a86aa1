/** What an upstream answers in place of a completion. */
export interface Case {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export const openai = (error: object): object => ({
  error: { message: "", type: "invalid_request_error", param: null, code: null, ...error }
})
export const anthropic = (type: string, error: object = {}): object => ({
  type: "error",
  error: { type, message: "", ...error },
  request_id: "req_1"
})
export const google = (error: object): ReadonlyArray<object> => [
  { error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "", ...error } }
]
export const openRouter = (code: number, metadata: object = {}): object => ({
  error: { code, message: "", metadata: { provider_name: "X", ...metadata } }
})
export const violated = (quotaId: string): object => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{ quotaId }]
})
export const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "13s" }
const apiKeyInvalid = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }
const filtered = {
  code: "content_filter",
  param: "prompt",
  status: 400,
  innererror: { code: "ResponsibleAIPolicyViolation" }
}

/** For each row of the table, by its name, what providers send, by theirs. */
// biome-ignore format: a table
export const cases: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "OpenRouter: too many requests in flight": {
    "OpenRouter 402, in flight": { status: 402, headers: { "retry-after": "2" }, body: openRouter(402, { limit_source: "openrouter_in_flight_budget" }) }
  },
  "quota or credit used up": {
    "OpenAI 429 insufficient_quota": { status: 429, body: openai({ type: "insufficient_quota", code: "insufficient_quota" }) },
    "OpenAI 429 credit_balance_exhausted": { status: 429, body: openai({ type: "insufficient_quota", code: "credit_balance_exhausted" }) },
    "OpenAI 400 billing_hard_limit_reached": { status: 400, body: openai({ code: "billing_hard_limit_reached" }) },
    "Anthropic 402 billing_error": { status: 402, body: anthropic("billing_error") },
    "Anthropic 429 contract_spend_limit_reached": { status: 429, body: anthropic("rate_limit_error", { details: { error_code: "contract_spend_limit_reached" } }) },
    "Anthropic 429 enforced_spend_limit_reached": { status: 429, body: anthropic("rate_limit_error", { details: { error_code: "enforced_spend_limit_reached" } }) },
    "Anthropic 400, spend limit": { status: 400, body: anthropic("invalid_request_error", { details: { error_code: "workspace_spend_limit_reached" } }) },
    "in a stream": { status: 200, body: openai({ code: "insufficient_quota" }) }
  },
  "Google: daily quota used up": {
    "Gemini 429, PerDay": { status: 429, body: google({ details: [violated("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), retryInfo] }) }
  },
  "Google: quota per minute": {
    "Gemini 429, RetryInfo": { status: 429, body: google({ message: "You exceeded your current quota.", details: [violated("GenerateRequestsPerMinute"), retryInfo] }) }
  },
  "message: quota or credit used up": {
    "Gemini 429 without RetryInfo": { status: 429, body: google({ message: "You exceeded your current quota, please check your plan." }) },
    "403, credit": { status: 403, body: { message: "Your credit balance is too low." } }
  },
  "Anthropic: credit balance too low": {
    "Anthropic 400, credit": { status: 400, body: anthropic("invalid_request_error", { message: "Your credit balance is too low to access the Anthropic API." }) }
  },
  "larger than the rate limit": {
    "Anthropic 429, long context": { status: 429, body: { type: "error", error: { type: "rate_limit_error", message: "Extra usage is required for long context requests." } } },
    "OpenAI 429, Request too large": { status: 429, body: openai({ code: "rate_limit_exceeded", message: "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 45000." }) },
    "Groq 413 rate_limit_exceeded": { status: 413, body: openai({ code: "rate_limit_exceeded", type: "tokens", message: "Limit 6000, Requested 8000, please reduce your message size." }) }
  },
  "context length": {
    "OpenAI 400 context_length_exceeded": { status: 400, body: openai({ code: "context_length_exceeded", param: "messages" }) },
    "llama.cpp 400 exceed_context_size_error": { status: 400, body: { error: { code: 400, type: "exceed_context_size_error", n_prompt_tokens: 9, n_ctx: 8 } } }
  },
  "message: context length": {
    "vLLM 400": { status: 400, body: { object: "error", message: "This model's maximum context length is 4096 tokens.", type: "BadRequestError", code: 400 } },
    "Anthropic 400, prompt": { status: 400, body: anthropic("invalid_request_error", { message: "prompt is too long: 210000 tokens > 200000 maximum" }) },
    "Gemini 400": { status: 400, body: google({ code: 400, status: "INVALID_ARGUMENT", message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)." }) },
    "Together 403": { status: 403, body: openai({ message: "`inputs` tokens + `max_new_tokens` must be <= 8193." }) },
    "a proxy's 500": { status: 500, body: { error: "the request exceeds the available context size" } }
  },
  "content policy": {
    "OpenAI 400 content_policy_violation": { status: 400, body: openai({ code: "content_policy_violation" }) },
    "OpenAI 400 invalid_prompt": { status: 400, body: openai({ code: "invalid_prompt" }) },
    "Azure 400 content_filter": { status: 400, body: { error: filtered } },
    "Azure 400, inner code alone": { status: 400, body: { error: { code: null, innererror: { code: "ResponsibleAIPolicyViolation" } } } }
  },
  "OpenRouter: moderation": {
    "OpenRouter 403, reasons": { status: 403, body: openRouter(403, { reasons: ["violence"], flagged_input: "invalid_api_key" }) }
  },
  "xAI: message of its usage guidelines": {
    "xAI 403": { status: 403, body: { code: "The caller does not have permission to execute the specified operation", error: "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO" } }
  },
  "Azure: message of the content filter": {
    "Azure 400, its words": { status: 400, body: openai({ message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy." }) }
  },
  "model not found": {
    "OpenAI 404 model_not_found": { status: 404, body: openai({ code: "model_not_found" }) },
    "OpenAI 403, no access to the model": { status: 403, body: openai({ code: "model_not_found" }) },
    "Groq 403, one model blocked": { status: 403, body: openai({ type: "permissions_error", code: "model_permission_blocked_project" }) },
    "Azure 404 DeploymentNotFound": { status: 404, body: { error: { code: "DeploymentNotFound", message: "" } } },
    "Groq 400 model_decommissioned": { status: 400, body: openai({ code: "model_decommissioned" }) }
  },
  "key or permission": {
    "OpenAI 401 invalid_api_key": { status: 401, body: openai({ code: "invalid_api_key" }) },
    "OpenAI 403, region": { status: 403, body: openai({ code: "unsupported_country_region_territory" }) },
    "Gemini 400 API_KEY_INVALID": { status: 400, body: google({ code: 400, status: "INVALID_ARGUMENT", details: [apiKeyInvalid] }) },
    "Gemini 403 PERMISSION_DENIED": { status: 403, body: google({ code: 403, status: "PERMISSION_DENIED" }) },
    "Azure 401 PermissionDenied": { status: 401, body: { error: { code: "PermissionDenied" } } },
    "Anthropic 401 authentication_error": { status: 401, body: anthropic("authentication_error", { message: "invalid x-api-key" }) },
    "Anthropic 403 permission_error": { status: 403, body: anthropic("permission_error") },
    "llama.cpp 401 authentication_error": { status: 401, body: { error: { code: 401, type: "authentication_error" } } }
  },
  "Google: message of a bad key": {
    "Gemini 400, its words": { status: 400, body: google({ code: 400, status: "INVALID_ARGUMENT", message: "API key not valid. Please pass a valid API key." }) }
  },
  overloaded: {
    "OpenAI 503 server_is_overloaded": { status: 503, body: openai({ type: "service_unavailable_error", code: "server_is_overloaded" }) },
    "Anthropic 529 overloaded_error": { status: 529, body: anthropic("overloaded_error", { message: "Overloaded" }) },
    "Anthropic, overloaded_error in a stream": { status: 200, body: anthropic("overloaded_error", { message: "Overloaded" }) },
    "Azure 429 NoCapacity": { status: 429, body: { error: { code: "NoCapacity" } } },
    "Mistral 429, capacity 3505": { status: 429, body: { object: "error", message: "", type: "invalid_request_error", code: "3505" } },
    "Gemini 503 UNAVAILABLE": { status: 503, body: google({ code: 503, status: "UNAVAILABLE" }) },
    "OpenRouter, provider_unavailable in a stream": { status: 200, body: { ...openRouter(502, { error_type: "provider_unavailable" }), choices: [{ delta: {}, finish_reason: "error" }] } },
    "Groq 498 capacity_exceeded": { status: 498, body: openai({ code: "capacity_exceeded" }) },
    "llama.cpp 503, loading": { status: 503, body: { error: { code: 503, type: "unavailable_error", message: "Loading model" } } }
  },
  "message: overloaded": {
    "Mistral 429, capacity": { status: 429, body: { object: "error", message: "Service tier capacity exceeded for this model.", type: "invalid_request_error", code: null } },
    "Mistral 503, capacity": { status: 503, body: { object: "error", message: "Service tier capacity exceeded for this model." } },
    "Azure 429, demand": { status: 429, body: { error: { code: "429", message: "System is experiencing high demand" } } },
    "Together 503, engine": { status: 503, body: openai({ message: "Engine is overloaded" }) }
  },
  "Groq: the model's tool call or JSON is broken": {
    "Groq 400 tool_use_failed": { status: 400, body: openai({ code: "tool_use_failed", failed_generation: "invalid_api_key" }) },
    "Groq 400 json_validate_failed": { status: 400, body: openai({ code: "json_validate_failed" }) }
  },
  "Gemini: the model's tool call is broken": {
    "Gemini, finish_reason": { status: 200, body: { choices: [{ message: {}, finish_reason: "function_call_filter: MALFORMED_FUNCTION_CALL" }] } }
  },
  "200: rate limit": {
    "OpenAI, slow_down in a stream": { status: 200, body: openai({ type: "rate_limit_error", code: "slow_down" }) }
  },
  "200: invalid request": {
    "OpenAI, in a stream": { status: 200, body: openai({}) },
    "vLLM, in a stream": { status: 200, body: { error: { message: "", type: "BadRequestError" } } }
  },
  "200: server error": {
    "OpenAI, server_error in a stream": { status: 200, body: openai({ type: "server_error" }) },
    "Anthropic, api_error in a stream": { status: 200, body: anthropic("api_error") },
    "vLLM, InternalServerError in a stream": { status: 200, body: { error: { message: "", type: "InternalServerError" } } }
  },
  "200: any other error": {
    "a proxy's, in a stream": { status: 200, body: { error: "boom" } },
    "vLLM, finish_reason abort": { status: 200, body: { choices: [{ message: {}, finish_reason: "abort" }] } },
    "OpenRouter, finish_reason error": { status: 200, body: { choices: [{ message: {}, finish_reason: "error" }] } }
  },
  "3xx": {
    "302": { status: 302 },
    "307, elsewhere": { status: 307, headers: { location: "http://elsewhere" } }
  },
  "a firewall's page": {
    "Cloudflare 403": { status: 403, body: "<!DOCTYPE html>\n<html><title>Attention Required! | Cloudflare</title></html>" },
    "AWS 403": { status: 403, body: "<html>\r\n<head><title>403 Forbidden</title></head></html>" }
  },
  "401, 403": {
    "Mistral 401": { status: 401, body: { message: "Unauthorized" } },
    "OpenAI 401, no member": { status: 401, body: openai({ message: "You must be a member of an organization to use the API" }) },
    "Azure 401, code 401": { status: 401, body: { error: { code: "401", message: "Access denied due to invalid subscription key" } } }
  },
  "402": {
    "Together 402": { status: 402, body: openai({}) },
    "OpenRouter 402": { status: 402, body: openRouter(402) }
  },
  "404, 410": {
    "Ollama 404": { status: 404, body: { error: { type: "not_found_error", message: "model 'x' not found", code: null } } },
    "vLLM 404 NotFoundError": { status: 404, body: { error: { message: "The model `x` does not exist.", type: "NotFoundError", param: "model", code: 404 } } },
    "Anthropic 404 not_found_error": { status: 404, body: anthropic("not_found_error") },
    "Gemini 404 NOT_FOUND": { status: 404, body: google({ code: 404, status: "NOT_FOUND" }) },
    "410": { status: 410 }
  },
  "408, 504": {
    "Azure 408": { status: 408 },
    "Anthropic 504 timeout_error": { status: 504, body: anthropic("timeout_error") },
    "Gemini 504 DEADLINE_EXCEEDED": { status: 504, body: google({ code: 504, status: "DEADLINE_EXCEEDED" }) },
    "OpenRouter, code 504 in a stream": { status: 200, body: openRouter(504) }
  },
  "409": {
    "Anthropic 409 conflict_error": { status: 409, body: anthropic("conflict_error") }
  },
  "413": {
    "Cloudflare 413": { status: 413, body: "<html>413 Request Entity Too Large cloudflare</html>" },
    "Anthropic 413 request_too_large": { status: 413, body: anthropic("request_too_large") }
  },
  "424 of Groq and Azure: a dependency failed": {
    "Groq 424": { status: 424, body: openai({ message: "remote MCP server refused the credentials" }) }
  },
  "429": {
    "429, nothing said": { status: 429 },
    "OpenAI 429 rate_limit_exceeded": { status: 429, body: openai({ type: "requests", code: "rate_limit_exceeded", message: "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000. Please try again in 6s." }) },
    "OpenAI 429 slow_down": { status: 429, body: openai({ type: "rate_limit_error", code: "slow_down" }) },
    "Azure 429, quota": { status: 429, headers: { "retry-after-ms": "700", "retry-after": "1" }, body: { error: { code: "429", message: "Rate limit is exceeded. Try again in 2 seconds." } } },
    "Anthropic 429 rate_limit_error": { status: 429, body: anthropic("rate_limit_error", { message: "This request would exceed your organization's rate limit of 40,000 input tokens per minute" }) },
    "Anthropic 429 ramp_limit_exceeded": { status: 429, body: anthropic("rate_limit_error", { details: { error_code: "ramp_limit_exceeded" } }) },
    "Mistral 429 rate_limited": { status: 429, body: { type: "rate_limited", code: "1300", raw_status_code: 429 } },
    "Groq 429 rate_limit_exceeded": { status: 429, headers: { "retry-after": "3" }, body: openai({ type: "tokens", code: "rate_limit_exceeded" }) },
    "OpenRouter 429": { status: 429, body: openRouter(429) }
  },
  "498 of Groq, 503, 529": {
    "Groq 498": { status: 498 },
    "Ollama 503, queue full": { status: 503, body: openai({ type: "api_error", message: "server busy, please try again. maximum pending requests exceeded" }) },
    "OpenRouter 503": { status: 503, body: openRouter(503) },
    "a proxy's 503": { status: 503, body: "<html></html>" },
    "529": { status: 529 }
  },
  "other 4xx": {
    "OpenAI 400 unsupported_parameter": { status: 400, body: openai({ code: "unsupported_parameter", message: "Unsupported parameter: 'insufficient_quota'" }) },
    "OpenAI 400 unsupported_value": { status: 400, body: openai({ code: "unsupported_value", param: "temperature" }) },
    "OpenAI 400, service_tier": { status: 400, body: openai({ message: "Invalid service_tier argument" }) },
    "OpenAI 400, quoting the caller": { status: 400, body: openai({ message: "Invalid value: 'You exceeded your current quota'. Your credit balance is too low" }) },
    "Gemini 400 FAILED_PRECONDITION": { status: 400, body: google({ code: 400, status: "FAILED_PRECONDITION" }) },
    "Mistral 422 extra_forbidden": { status: 422, body: { detail: [ { type: "extra_forbidden", loc: ["body", "store"], msg: "", input: { code: "invalid_api_key", type: "billing_error" } } ] } },
    "Mistral 422, in its envelope": { status: 422, body: { object: "error", message: { detail: [{ type: "extra_forbidden" }] }, type: "invalid_request_error" } },
    "vLLM 400 TemplateError": { status: 400, body: { error: { message: "", type: "TemplateError", code: 400 } } },
    "Ollama 400": { status: 400, body: openai({ message: "invalid message role: x" }) },
    "405": { status: 405 },
    "415": { status: 415 },
    "431": { status: 431 },
    "Groq 499": { status: 499 },
    "code 400 in a stream": { status: 200, body: { error: { message: "", type: "", code: 400 } } }
  },
  "501": {
    "llama.cpp 501 not_supported_error": { status: 501, body: { error: { type: "not_supported_error", code: 501 } } }
  },
  "524 of Cloudflare: no answer in 100 s": {
    "Cloudflare 524": { status: 524 }
  },
  "525, 526 of Cloudflare": {
    "Cloudflare 525": { status: 525 },
    "Cloudflare 526": { status: 526 }
  },
  "other 5xx": {
    "OpenAI 500 server_error": { status: 500, body: openai({ type: "server_error" }) },
    "Anthropic 500 api_error": { status: 500, body: anthropic("api_error") },
    "Gemini 500 INTERNAL": { status: 500, body: google({ code: 500, status: "INTERNAL" }) },
    "vLLM 500 InternalServerError": { status: 500, body: { error: { message: "", type: "InternalServerError", code: 500 } } },
    "Ollama 500, crashed": { status: 500, body: openai({ type: "api_error", message: "llama runner process has terminated" }) },
    "OpenRouter 502": { status: 502, body: openRouter(502) },
    "a proxy's 502": { status: 502, body: "<html>502 Bad Gateway</html>" },
    "Cloudflare 520": { status: 520 },
    "Cloudflare 521": { status: 521 },
    "Cloudflare 522": { status: 522 },
    "Cloudflare 523": { status: 523 },
    "Cloudflare 530": { status: 530 }
  },
  "no status that HTTP knows": {
    "0": { status: 0 },
    "101": { status: 101 },
    "700": { status: 700 }
  }
}
