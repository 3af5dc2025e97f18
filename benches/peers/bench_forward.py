"""Tokens a second through the forward pass, all hidden states recorded: plumb, transformers and ONNX Runtime, in turn, on the same threads.

python benches/peers/bench_forward.py [--minilm FOLDER] [--model minilm|llama|both] [--threads 1,2] [--rounds 2]

The texts are 512 (for the decoder 192) random ones of 8 to 60 tokens. transformers and ONNX Runtime run them sorted by length, in batches of
32 that are padded to their longest text; transformers also in order. Only real tokens count. The best of all rounds counts.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import common

warnings.filterwarnings("ignore")
BATCH = 32


def padded(texts, np):
    """Batches of ids and masks."""
    batches = []
    for i in range(0, len(texts), BATCH):
        part = texts[i : i + BATCH]
        longest = max(map(len, part))
        ids = np.zeros((len(part), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(part):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        batches.append((ids, mask))
    return batches


def llama_shaped(folder):
    """A decoder with random weights in the folder."""
    import torch
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=8, intermediate_size=1408,
        vocab_size=8000, max_position_embeddings=512,
    )
    LlamaModel(config).save_pretrained(folder)


class Transformers:
    """The model as transformers runs it, with its fastest attention."""

    def __init__(self, folder):
        import torch
        from transformers import AutoModel

        self.torch = torch
        self.model = AutoModel.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32).eval()

    def batches(self, batches):
        return [(self.torch.from_numpy(ids), self.torch.from_numpy(mask)) for ids, mask in batches]

    def run(self, batches):
        with self.torch.inference_mode():
            return [
                self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
                for ids, mask in batches
            ]

    def magnitude(self, batches, states):
        """Of all hidden states but the last, over real tokens."""
        total, count = 0.0, 0
        for (_, mask), layers in zip(batches, states):
            for layer in layers[:-1]:
                total += (layer.abs().double() * mask[:, :, None]).sum().item()
                count += mask.sum().item() * layer.shape[-1]
        return total / count


def exported(peer, path):
    """The same model as an ONNX file that gives all hidden states."""
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False).hidden_states

    ids = torch.randint(1000, 2000, (3, 17))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    texts, tokens = torch.export.Dim("texts", min=1, max=512), torch.export.Dim("tokens", min=2, max=512)
    axes = {0: texts, 1: tokens}
    torch.onnx.export(
        Wrapped(peer.model), (ids, mask), str(path), input_names=["ids", "mask"], dynamo=True,
        dynamic_shapes={"ids": axes, "mask": axes}, verbose=False,
    )


class Onnx:
    """The exported model in ONNX Runtime."""

    def __init__(self, path, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, batches):
        return [self.session.run(None, {"ids": ids, "mask": mask}) for ids, mask in batches]


def compare(name, folder, texts, threads_of, rounds):
    """Rounds in which each takes its turn; prints a row for each."""
    import numpy as np
    import torch

    tokens = sum(map(len, texts))
    ordered = padded(texts, np)
    sorted_ = padded(sorted(texts, key=len), np)
    with tempfile.TemporaryDirectory() as scratch:
        ids = Path(scratch) / "ids.json"
        ids.write_text(json.dumps(texts))
        peer = Transformers(folder)
        onnx = Path(scratch) / "model.onnx"
        try:
            exported(peer, onnx)
        except Exception as error:  # the exporter has many ways to fail
            print(f"skipped: ONNX Runtime on {name}: {type(error).__name__}: {str(error).splitlines()[0]}")
            onnx = None
        with_unit = "AMX" in common.machine()
        for threads in threads_of:
            torch.set_num_threads(threads)
            ours = common.Ours(folder, ids, threads)
            on_vectors = common.Ours(folder, ids, threads, unit=False) if with_unit else None
            session = Onnx(onnx, threads) if onnx else None
            limits = {"vectors": common.product_limit(threads, unit=False)}
            if with_unit:
                limits["the matrix unit"] = common.product_limit(threads, unit=True)
            best = {}

            def turn(who, run, *batches):
                begin = time.perf_counter()
                result = run(*batches)
                seconds = result["seconds"] if who.startswith("plumb") else time.perf_counter() - begin
                best[who] = max(best.get(who, 0.0), tokens / seconds)
                return result

            torch_sorted, torch_ordered = peer.batches(sorted_), peer.batches(ordered)
            # The first passes find caches and allocators cold.
            peer.run(torch_sorted[:2])
            if session:
                session.run(sorted_[:2])
            for program in filter(None, [ours, on_vectors]):
                program.run()
            for round_ in range(rounds):
                mine = turn("plumb", ours.run)
                if on_vectors:
                    turn("plumb, PLUMB_AMX=off", on_vectors.run)
                states = turn("transformers, sorted", peer.run, torch_sorted)
                if session:
                    turn("ONNX Runtime, sorted", session.run, sorted_)
                if round_ == 0:
                    theirs = peer.magnitude(torch_sorted, states)
                    assert abs(mine["magnitude"] - theirs) < 1e-4 * theirs, f"{mine['magnitude']} is not {theirs}"
                    del states
                    turn("transformers, in order", peer.run, torch_ordered)
            for program in filter(None, [ours, on_vectors]):
                program.close()
            print(f"{name}, {len(texts)} texts, {tokens} tokens, threads: {threads}")
            for of, limit in limits.items():
                most = limit * 1e9 / ours.about["flops_per_token"]
                who = "plumb, PLUMB_AMX=off" if with_unit and of == "vectors" else "plumb"
                print(f"  products on {of} reach {limit:.0f} GFLOP/s: {most:.0f} tokens/s; {who} is at {best[who] / most:.0%} of it")
            for who, speed in sorted(best.items(), key=lambda item: -item[1]):
                print(f"  {who:24} {speed:8.0f} tokens/s   plumb is {best['plumb'] / speed:.2f} times as fast")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2; or set PLUMB_MINILM")
    parser.add_argument("--model", choices=["minilm", "llama", "both"], default="both")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        common.leave_out(f"forward: {error}; see benches/peers/requirements.txt")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    threads = [int(n) for n in args.threads.split(",")]
    print(common.machine())
    if args.model in ("minilm", "both"):
        folder = common.minilm(args.minilm)
        if folder:
            compare("all-MiniLM-L6-v2", folder, common.random_ids(512, 30000), threads, args.rounds)
        else:
            print("skipped: all-MiniLM-L6-v2 is not here; give --minilm or set PLUMB_MINILM to its folder")
    if args.model in ("llama", "both"):
        with tempfile.TemporaryDirectory() as folder:
            llama_shaped(folder)
            compare("Llama-shaped, 8 × 512", folder, common.random_ids(192, 8000), threads, args.rounds)


if __name__ == "__main__":
    main()
