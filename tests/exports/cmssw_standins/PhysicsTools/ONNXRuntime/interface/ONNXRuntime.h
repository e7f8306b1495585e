#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <onnxruntime/onnxruntime_cxx_api.h>
#include "FWCore/Utilities/interface/Exception.h"

namespace cms::Ort {
using FloatArrays = std::vector<std::vector<float>>;

class ONNXRuntime {
public:
  explicit ONNXRuntime(const std::string& model_path)
      : env_(ORT_LOGGING_LEVEL_ERROR, ""), session_(env_, model_path.c_str(), ::Ort::SessionOptions()) {
    ::Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
      outputs_.push_back(session_.GetOutputNameAllocated(i, allocator).get());
      shapes_[outputs_.back()] = session_.GetOutputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      shapes_[outputs_.back()].at(0) = -1;
    }
  }
  ONNXRuntime(const ONNXRuntime&) = delete;
  ONNXRuntime& operator=(const ONNXRuntime&) = delete;

  FloatArrays run(const std::vector<std::string>& input_names, FloatArrays& input_values,
                  const std::vector<std::vector<std::int64_t>>& input_shapes = {},
                  const std::vector<std::string>& output_names = {}, std::int64_t batch_size = 1) const {
    const auto memory = ::Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    // No names: all outputs, in the model's order.
    const std::vector<std::string>& asked = output_names.empty() ? outputs_ : output_names;
    std::vector<const char*> inputs, outputs;
    std::vector<::Ort::Value> tensors;
    for (std::size_t i = 0; i < input_names.size(); ++i) {
      if (input_shapes[i].at(0) != batch_size)
        throw cms::Exception("RuntimeError") << "the first dimension of " << input_names[i] << " is not the batch";
      inputs.push_back(input_names[i].c_str());
      tensors.push_back(::Ort::Value::CreateTensor<float>(memory, input_values[i].data(), input_values[i].size(),
                                                          input_shapes[i].data(), input_shapes[i].size()));
    }
    for (const std::string& name : asked)
      outputs.push_back(name.c_str());
    const auto found = session_.Run(::Ort::RunOptions{nullptr}, inputs.data(), tensors.data(), tensors.size(),
                                    outputs.data(), outputs.size());
    FloatArrays result;
    for (const ::Ort::Value& value : found) {
      const float* first = value.GetTensorData<float>();
      result.emplace_back(first, first + value.GetTensorTypeAndShapeInfo().GetElementCount());
    }
    return result;
  }

  const std::vector<std::string>& getOutputNames() const { return outputs_; }

  // The first dimension is the batch: -1.
  const std::vector<std::int64_t>& getOutputShape(const std::string& name) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end())
      throw cms::Exception("RuntimeError") << "no output '" << name << "'";
    return found->second;
  }

private:
  std::vector<std::string> outputs_;
  std::map<std::string, std::vector<std::int64_t>> shapes_;
  ::Ort::Env env_;
  mutable ::Ort::Session session_;
};
}  // namespace cms::Ort
