// Elements of an event -> its particles, by a bundle's network in ONNX Runtime.
#ifndef E2EGRAPH_PARTICLE_FLOW_H
#define E2EGRAPH_PARTICLE_FLOW_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "e2egraph/candidates.h"
#include "e2egraph/element_file.h"
#include "e2egraph/error.h"
#include "e2egraph/file.h"
#include "e2egraph/flow_bundle.h"
#include "e2egraph/session.h"
#include "e2egraph/sha256.h"

namespace e2egraph {

class ParticleFlow {
public:
  // InputError: no particle-flow bundle, or a model that is missing, altered or unreadable for ONNX Runtime.
  explicit ParticleFlow(const std::string& folder, Decoding decoding = {}, int threads = 1)
      : bundle_(FlowBundle::read(folder)), decoder_(bundle_.classes, decoding),
        env_(ORT_LOGGING_LEVEL_FATAL, "e2egraph") {
    const std::string path = folder + "/model.onnx", content = read_file(path);
    if (sha256(content) != bundle_.model_sha256)
      throw InputError(path + ": damaged or altered (SHA-256 differs); export the run again.");
    detail::guarded(path, "cannot load it", [&] {
      Ort::SessionOptions options;
      options.SetIntraOpNumThreads(threads);
      options.SetInterOpNumThreads(1);
      session_ = Ort::Session(env_, content.data(), content.size(), options);
    });
  }

  const FlowBundle& bundle() const { return bundle_; }

  // InputError when the elements of a node file were made or selected otherwise than those the network learnt from.
  void check(const ElementFile& file) const {
    if (file.elements() != bundle_.elements)
      throw InputError(file.path() + ": its elements were made or selected otherwise than those of " + bundle_.folder +
                       "; dump a data set that was built with the same task.");
  }

  // The particles of an event whose columns have these names, in the order of its elements; of those only the first
  // `bundle().cap` are read. An event without elements has none, and ONNX Runtime is not asked. InputError: a column or
  // channel is missing, ONNX Runtime fails, or an output is not finite.
  std::vector<Candidate> candidates(const ElementEvent& event, const std::vector<std::string>& names,
                                    const std::string& file) const {
    const std::size_t size = std::min(event.size(), bundle_.cap);
    if (size == 0)
      return {};
    const auto refuse = [&](std::size_t i) {
      throw InputError(file + ": element " + std::to_string(i) + " of event " + std::to_string(event.run) + ":" +
                       std::to_string(event.lumi) + ":" + std::to_string(event.event) + " gives a candidate whose "
                       "energy is negative or not finite; dump the data set again.");
    };
    const auto column = [&](const std::string& name) -> const std::vector<float>& {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end())
        throw InputError(file + ": has no column " + name + ", which " + bundle_.folder + " reads; dump the data set "
                         "of its task.");
      return event.columns[static_cast<std::size_t>(found - names.begin())];
    };
    std::vector<float> points, features, mask(size, 1.0F);
    for (const char* name : {"deta", "dphi"})
      points.insert(points.end(), column(name).begin(), column(name).begin() + static_cast<std::ptrdiff_t>(size));
    for (const std::string& name : bundle_.variables)
      features.insert(features.end(), column(name).begin(), column(name).begin() + static_cast<std::ptrdiff_t>(size));
    std::vector<bool> is_track(size, false), known(size, false);
    for (const auto& [name, number] : bundle_.channels)
      for (std::size_t i = 0; i < size; ++i) {
        const bool own = event.channels[i] == number;
        features.push_back(own ? 1.0F : 0.0F);
        known[i] = known[i] || own;
        is_track[i] = is_track[i] || (own && name == "TRACK");
      }
    if (const auto stray = std::find(known.begin(), known.end(), false); stray != known.end())
      throw InputError(file + ": an element is of channel " +
                       std::to_string(event.channels[static_cast<std::size_t>(stray - known.begin())]) + ", which " +
                       bundle_.folder + " does not read; dump the data set of its task.");
    const std::vector<std::vector<float>> outputs = run(points, features, mask, size);
    std::vector<Candidate> result;
    const auto value = [&](const char* name, std::size_t i) {
      const bool has = std::find(bundle_.variables.begin(), bundle_.variables.end(), name) != bundle_.variables.end();
      return has ? static_cast<double>(column(name)[i]) : 0.0;
    };
    const bool knows_muons =
        std::find(bundle_.variables.begin(), bundle_.variables.end(), "muon") != bundle_.variables.end();
    for (std::size_t i = 0; i < size; ++i) {
      Element element;
      element.pt = value("value", i);
      element.eta = static_cast<double>(points[i]) + value("deta0", i);
      element.phi = static_cast<double>(points[size + i]) + value("dphi0", i);
      const double charge = value("charge", i);
      element.charge = (charge > 0.0) - (charge < 0.0);
      element.is_track = is_track[i];
      if (knows_muons)
        element.muon = value("muon", i) > 0.0;
      const NodeOutputs of_node{&outputs[0][2 * i], &outputs[1][bundle_.classes.size() * i], &outputs[2][4 * i],
                                &outputs[3][i]};
      if (auto candidate = decoder_.decode(element, of_node)) {
        if (!possible(*candidate))
          refuse(i);
        candidate->element = i;
        result.push_back(*candidate);
      }
    }
    return result;
  }

private:
  static bool possible(const Candidate& candidate) {
    return std::isfinite(candidate.pt) && candidate.pt >= 0.0F && std::isfinite(candidate.energy) &&
           candidate.energy >= 0.0F && std::isfinite(candidate.eta) && std::isfinite(candidate.phi);
  }

  // Each head's numbers [elements, columns].
  std::vector<std::vector<float>> run(std::vector<float>& points, std::vector<float>& features,
                                      std::vector<float>& mask, std::size_t size) const {
    constexpr std::array<const char*, 3> inputs{"points", "features", "mask"};
    constexpr std::array<const char*, 4> wanted{"particle", "class", "momentum", "pileup"};
    const std::array<std::size_t, 4> columns{2, bundle_.classes.size(), 4, 1};
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<Ort::Value> tensors;
    for (std::vector<float>* values : {&points, &features, &mask}) {
      const auto n = static_cast<std::int64_t>(size);
      const std::array<std::int64_t, 3> shape{1, static_cast<std::int64_t>(values->size()) / n, n};
      tensors.push_back(
          Ort::Value::CreateTensor<float>(memory, values->data(), values->size(), shape.data(), shape.size()));
    }
    return detail::guarded(bundle_.folder + "/model.onnx", "fails on " + std::to_string(size) + " elements", [&] {
      const auto results = session_.Run(Ort::RunOptions{nullptr}, inputs.data(), tensors.data(), tensors.size(),
                                        wanted.data(), wanted.size());
      std::vector<std::vector<float>> found;
      for (std::size_t t = 0; t < wanted.size(); ++t) {
        if (results[t].GetTensorTypeAndShapeInfo().GetElementCount() != size * columns[t])
          throw InputError(bundle_.folder + "/model.onnx: its output " + wanted[t] +
                           " is not one row an element; export the run again.");
        const float* first = results[t].GetTensorData<float>();
        found.emplace_back(first, first + size * columns[t]);
        for (const float value : found.back())
          if (!std::isfinite(value))
            throw InputError(bundle_.folder + "/model.onnx: an output of an element is not finite; look for absurd "
                             "values among the elements.");
      }
      return found;
    });
  }

  FlowBundle bundle_;
  CandidateDecoder decoder_;
  Ort::Env env_;
  // Run() is thread-safe, though the C++ interface does not call it const.
  mutable Ort::Session session_{nullptr};
};

}  // namespace e2egraph

#endif
