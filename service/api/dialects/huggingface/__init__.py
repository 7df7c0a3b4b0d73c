"""The dialect of Hugging Face: routes of text-embeddings-inference, and their messages."""
