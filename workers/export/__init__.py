"""Making something else of trained weights: a merged model, one GGUF file, an ONNX graph, a repository on a hub."""
