"""LitServe with batches of up to 64 requests around a torch model.

python -m tests.trials.bench.peers.litserve_batching PORT
"""

from __future__ import annotations

import sys

import litserve


class Classify(litserve.LitAPI):
    def setup(self, device: str) -> None:
        from tests.trials.bench.eager import EagerClassifier

        self.classifier = EagerClassifier()

    def decode_request(self, request: dict) -> list[str]:
        return request["texts"]

    def predict(self, batch: list[list[str]]) -> list[list[dict]]:
        answers = iter(self.classifier.classify([text for texts in batch for text in texts]))
        return [[next(answers) for _ in texts] for texts in batch]

    def encode_response(self, output: list[dict]) -> list[dict]:
        return output


if __name__ == "__main__":
    # a worker takes the requests of one millisecond, up to 64
    api = Classify(max_batch_size=64, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
