# Three models tried in order by a client with `base_url` and `api_key` from the environment: behind the gateway
# that is one call and no loop.
import os
from openai import OpenAI

client = OpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])
messages = [{"role": "user", "content": "Who goes on tonight?"}]

whole = client.chat.completions.with_raw_response.create(model="chat", messages=messages)
answer = whole.parse()
print(answer.model, whole.headers["x-understudy-tier"], answer.choices[0].message.content)

chunks = list(client.chat.completions.create(model="chat", messages=messages, stream=True))
print(chunks[0].model, "".join(chunk.choices[0].delta.content or "" for chunk in chunks))
