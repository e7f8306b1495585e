// A bundle's network in ONNX Runtime; one session serves any number of threads.
#ifndef E2EGRAPH_SESSION_H
#define E2EGRAPH_SESSION_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

// CMSSW and Debian lay the headers out in this folder; ONNX Runtime's own archives do not.
#if __has_include(<onnxruntime/onnxruntime_cxx_api.h>)
#include <onnxruntime/onnxruntime_cxx_api.h>
#else
#include <onnxruntime_cxx_api.h>
#endif

#include "e2egraph/bundle.h"
#include "e2egraph/error.h"
#include "e2egraph/file.h"
#include "e2egraph/sha256.h"
#include "e2egraph/tensors.h"

namespace e2egraph {

// Class probabilities of one jet, and the logits they are the softmax of; in the order of the bundle's classes.
struct Scores {
  std::vector<float> probabilities, logits;
};

class Session {
public:
  // `variant`: one of the bundle's (fp16, int8) instead of model.onnx. InputError: the file is missing, altered,
  // unreadable for ONNX Runtime, or has other inputs than the bundle says.
  explicit Session(const Bundle& bundle, int threads = 1, const std::string& variant = "")
      : path_(bundle.folder + "/" + bundle.model_file(variant).name), classes_(bundle.classes().size()),
        env_(guarded("cannot start", [] { return Ort::Env(ORT_LOGGING_LEVEL_FATAL, "e2egraph"); })) {
    const std::string content = read_file(path_);
    if (sha256(content) != bundle.model_file(variant).sha256)
      throw InputError(path_ + ": damaged or altered (SHA-256 differs); export the run again.");
    guarded("cannot load it", [&] {
      Ort::SessionOptions options;
      options.SetIntraOpNumThreads(threads);
      options.SetInterOpNumThreads(1);
      session_ = Ort::Session(env_, content.data(), content.size(), options);
      check_inputs(bundle);
    });
  }

  // Scores of as many jets as the tensors hold, in order; may be called from several threads at once. InputError: ONNX
  // Runtime fails, or a score is not finite.
  std::vector<Scores> run(Tensors& tensors) const {
    return guarded("fails on " + std::to_string(tensors.shapes.front().front()) + " jets of " +
                       std::to_string(tensors.shapes.front().back()) + " nodes",
                   [&] { return unguarded_run(tensors); });
  }

private:
  template <typename Work>
  auto guarded(const std::string& what, Work work) const -> decltype(work()) {
    try {
      return work();
    } catch (const Ort::Exception& error) {
      const std::string message = error.what();
      throw InputError(path_ + ": ONNX Runtime " + what + " (" + message.substr(0, message.find('\n')) +
                       "); export the run again.");
    }
  }

  void check_inputs(const Bundle& bundle) const {
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<std::string> found, expected;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i)
      found.emplace_back(session_.GetInputNameAllocated(i, allocator).get());
    for (const InputGroup& group : bundle.inputs)
      expected.push_back(group.name);
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    if (found != expected)
      throw InputError(path_ + ": its inputs are not those of preprocess.json; export the run again.");
  }

  std::vector<Scores> unguarded_run(Tensors& tensors) const {
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<const char*> names;
    std::vector<Ort::Value> inputs;
    for (std::size_t i = 0; i < tensors.names.size(); ++i) {
      names.push_back(tensors.names[i].c_str());
      // An empty vector may have no address, and ONNX Runtime refuses none.
      static float nothing = 0;
      float* data = tensors.values[i].empty() ? &nothing : tensors.values[i].data();
      inputs.push_back(Ort::Value::CreateTensor<float>(
          memory, data, tensors.values[i].size(), tensors.shapes[i].data(), tensors.shapes[i].size()));
    }
    constexpr std::array<const char*, 2> outputs{"softmax", "logits"};
    const auto results = session_.Run(
        Ort::RunOptions{nullptr}, names.data(), inputs.data(), inputs.size(), outputs.data(), outputs.size());
    const auto jets = static_cast<std::size_t>(tensors.shapes.front().front());
    std::vector<Scores> scores(jets);
    for (std::size_t b = 0; b < jets; ++b) {
      scores[b].probabilities = row(results[0], b, jets);
      scores[b].logits = row(results[1], b, jets);
    }
    return scores;
  }

  std::vector<float> row(const Ort::Value& output, std::size_t jet, std::size_t jets) const {
    const auto shape = output.GetTensorTypeAndShapeInfo();
    if (shape.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || shape.GetElementCount() != jets * classes_)
      throw InputError(path_ + ": its outputs are not one float32 a class; export the run again.");
    const float* first = output.GetTensorData<float>() + jet * classes_;
    std::vector<float> result(first, first + classes_);
    for (const float value : result)
      if (!std::isfinite(value))
        throw InputError(path_ + ": a jet's score is not finite; look for absurd values among its deposits.");
    return result;
  }

  std::string path_;
  std::size_t classes_;
  Ort::Env env_;
  // Run() is thread-safe, though the C++ interface does not call it const.
  mutable Ort::Session session_{nullptr};
};

}  // namespace e2egraph

#endif
