// A bundle's network in ONNX Runtime; one session serves any number of threads.
#ifndef E2EGRAPH_SESSION_H
#define E2EGRAPH_SESSION_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
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
#include "e2egraph/outputs.h"
#include "e2egraph/sha256.h"
#include "e2egraph/tensors.h"

namespace e2egraph {

// What the network gives for one jet: probabilities of the bundle's classes and the logits they are the softmax of, and
// predictions of its quantities in physical units; empty where the bundle has no such head.
struct Scores {
  std::vector<float> probabilities, logits, predictions;
};

// What a jet without nodes gets, of which the network has seen nothing.
inline Scores scores_without_nodes(const Outputs& outputs) {
  Scores scores;
  if (const Head* head = outputs.classes()) {
    scores.probabilities.assign(head->columns.size(), no_score);
    scores.logits.assign(head->columns.size(), no_prediction);
  }
  if (const Head* head = outputs.quantities())
    scores.predictions.assign(head->columns.size(), no_prediction);
  return scores;
}

namespace detail {

// What `work` gives; an error of ONNX Runtime's becomes an InputError that names the model's file and `what` failed.
template <typename Work>
auto guarded(const std::string& path, const std::string& what, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const Ort::Exception& error) {
    const std::string message = error.what();
    throw InputError(path + ": ONNX Runtime " + what + " (" + message.substr(0, message.find('\n')) +
                     "); export the run again.");
  }
}

}  // namespace detail

class Session {
public:
  // `variant`: one of the bundle's (fp16, int8) instead of model.onnx. InputError: the file is missing, altered,
  // unreadable for ONNX Runtime, or has other inputs or outputs than the bundle says.
  explicit Session(const Bundle& bundle, int threads = 1, const std::string& variant = "")
      : path_(bundle.folder + "/" + bundle.model_file(variant).name), outputs_(bundle.metadata.outputs.tensors()),
        parts_(parts_of(bundle.metadata.outputs)),
        env_(detail::guarded(path_, "cannot start", [] { return Ort::Env(ORT_LOGGING_LEVEL_FATAL, "e2egraph"); })) {
    const std::string content = read_file(path_);
    if (sha256(content) != bundle.model_file(variant).sha256)
      throw InputError(path_ + ": damaged or altered (SHA-256 differs); export the run again.");
    detail::guarded(path_, "cannot load it", [&] {
      Ort::SessionOptions options;
      options.SetIntraOpNumThreads(threads);
      options.SetInterOpNumThreads(1);
      session_ = Ort::Session(env_, content.data(), content.size(), options);
      check_tensors(bundle);
    });
  }

  // Scores of as many jets as the tensors hold, in order; may be called from several threads at once. InputError: ONNX
  // Runtime fails, or a score is not finite.
  std::vector<Scores> run(Tensors& tensors) const {
    return detail::guarded(path_,
                           "fails on " + std::to_string(tensors.shapes.front().front()) + " jets of " +
                               std::to_string(tensors.shapes.front().back()) + " nodes",
                           [&] { return unguarded_run(tensors); });
  }

private:
  using Tensor = std::pair<std::string, std::size_t>;

  void check_tensors(const Bundle& bundle) const {
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<Tensor> inputs, outputs, expected;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i)
      inputs.emplace_back(session_.GetInputNameAllocated(i, allocator).get(), rows(session_.GetInputTypeInfo(i), 3));
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i)
      outputs.emplace_back(session_.GetOutputNameAllocated(i, allocator).get(), rows(session_.GetOutputTypeInfo(i), 2));
    for (const InputTensor& tensor : bundle.inputs)
      expected.emplace_back(tensor.group.name, tensor.group.variables.size());
    compare(inputs, expected, "inputs are not those of preprocess.json");
    compare(outputs, outputs_, "outputs are not those of metadata.json");
  }

  // Second dimension of a float32 tensor of this many dimensions; 0 where it is no such tensor.
  static std::size_t rows(const Ort::TypeInfo& type, std::size_t dimensions) {
    if (type.GetONNXType() != ONNX_TYPE_TENSOR)
      return 0;
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    const std::vector<std::int64_t> shape = tensor.GetShape();
    if (tensor.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || shape.size() != dimensions || shape[1] < 1)
      return 0;
    return static_cast<std::size_t>(shape[1]);
  }

  void compare(std::vector<Tensor> found, std::vector<Tensor> expected, const char* what) const {
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    if (found != expected)
      throw InputError(path_ + ": its " + what + "; export the run again.");
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
    std::vector<const char*> wanted;
    for (const Tensor& output : outputs_)
      wanted.push_back(output.first.c_str());
    const auto results = session_.Run(
        Ort::RunOptions{nullptr}, names.data(), inputs.data(), inputs.size(), wanted.data(), wanted.size());
    const auto jets = static_cast<std::size_t>(tensors.shapes.front().front());
    std::vector<Scores> scores(jets);
    for (std::size_t t = 0; t < outputs_.size(); ++t)
      for (std::size_t b = 0; b < jets; ++b)
        scores[b].*parts_[t] = row(results[t], b, jets, outputs_[t].second);
    return scores;
  }

  using Part = std::vector<float> Scores::*;

  // Where the numbers of each tensor of `Outputs::tensors` go, whatever it is called.
  static std::vector<Part> parts_of(const Outputs& outputs) {
    std::vector<Part> parts;
    for (const Head& head : outputs.heads) {
      parts.push_back(head.of_classes ? &Scores::probabilities : &Scores::predictions);
      if (head.of_classes)
        parts.push_back(&Scores::logits);
    }
    return parts;
  }

  std::vector<float> row(const Ort::Value& output, std::size_t jet, std::size_t jets, std::size_t columns) const {
    if (output.GetTensorTypeAndShapeInfo().GetElementCount() != jets * columns)
      throw InputError(path_ + ": its outputs are not one number a column; export the run again.");
    const float* first = output.GetTensorData<float>() + jet * columns;
    std::vector<float> result(first, first + columns);
    for (const float value : result)
      if (!std::isfinite(value))
        throw InputError(path_ + ": a jet's score is not finite; look for absurd values among its deposits.");
    return result;
  }

  std::string path_;
  // Tensors that are asked for, and the columns of each.
  std::vector<Tensor> outputs_;
  // Of each of them.
  std::vector<std::vector<float> Scores::*> parts_;
  Ort::Env env_;
  // Run() is thread-safe, though the C++ interface does not call it const.
  mutable Ort::Session session_{nullptr};
};

}  // namespace e2egraph

#endif
