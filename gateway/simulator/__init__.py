"""A simulated LLM provider on the OpenAI and Anthropic wires, for tests, demonstrations and load."""
