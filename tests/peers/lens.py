"""The logit lens by transformers: `lens.py MODEL IDS` prints, for every layer and position, entropy, KL and the next token's probability and rank.

Hidden states are taken by hooks on the blocks, because transformers' last entry of `hidden_states` is after the final norm.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

folder, ids = sys.argv[1], [int(i) for i in sys.argv[2].split(",")]
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
streams = []
blocks = model.model.layers
blocks[0].register_forward_pre_hook(lambda _, args, kwargs: streams.append((args or tuple(kwargs.values()))[0]), with_kwargs=True)
for block in blocks:
    block.register_forward_hook(lambda _, __, out: streams.append(out[0] if isinstance(out, tuple) else out))
with torch.no_grad():
    own = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    layers = []
    for stream in streams:
        said = model.lm_head(model.model.norm(stream)).reshape(len(ids), -1).double().log_softmax(-1)
        layer = []
        for position in range(len(ids)):
            q, p = said[position], own[position]
            reading = {"entropy": float(-(q.exp() * q).sum()), "kl": float((p.exp() * (p - q)).sum())}
            if position + 1 < len(ids):
                target = ids[position + 1]
                reading["probability"] = float(q[target].exp())
                reading["rank"] = int((q > q[target]).sum()) + 1
            layer.append(reading)
        layers.append(layer)
print(json.dumps(layers))
