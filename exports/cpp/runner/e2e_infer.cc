// e2e_infer: scores the jets of an event file with a bundle, from raw deposits.
//
// Exit codes: 0 done, 1 bad input or failed work, 2 wrong usage.
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "e2egraph/event_file.h"
#include "e2egraph/tagger.h"
#include "options.h"
#include "output.h"
#include "parallel.h"
#include "paths.h"
#include "timing.h"

namespace runner {

// Batches a thread gets of one load of events: enough to put jets of similar length together.
constexpr std::size_t batches_a_load = 4;

// Reads events until they hold at least `jets` jets; one without counts as one, as clusters may be found in it.
std::vector<e2egraph::Event> load(e2egraph::EventFile& file, std::size_t jets) {
  std::vector<e2egraph::Event> events;
  e2egraph::Event event;
  std::size_t found = 0;
  while (found < jets && file.next(event)) {
    found += std::max<std::size_t>(event.jets.size(), 1);
    events.push_back(std::move(event));
  }
  return events;
}

std::vector<Scored> make_jets(const e2egraph::Tagger& tagger, const std::vector<e2egraph::Event>& events, int threads,
                              Timing& timing) {
  std::vector<std::vector<e2egraph::Jet>> made(events.size());
  for_each_item(events.size(), threads, [&](std::size_t i) {
    const Stopwatch watch;
    made[i] = tagger.jets(events[i]);
    timing.nodes.add(watch.milliseconds(), made[i].size());
  });
  std::vector<Scored> jets;
  for (std::size_t i = 0; i < events.size(); ++i)
    for (e2egraph::Jet& jet : made[i])
      jets.push_back({events[i].run, events[i].lumi, events[i].event, std::move(jet), {}});
  return jets;
}

void score(const e2egraph::Tagger& tagger, std::vector<Scored>& jets, const Options& options, Timing& timing) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < jets.size(); ++i) {
    if (jets[i].without_nodes())
      jets[i].scores = e2egraph::scores_without_nodes(tagger.bundle().metadata.outputs);
    else if (jets[i].jet.cut == e2egraph::Cut::none)
      order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return jets[a].jet.nodes.size() < jets[b].jet.nodes.size();
  });
  const auto batch = static_cast<std::size_t>(options.batch);
  for_each_item((order.size() + batch - 1) / batch, options.threads, [&](std::size_t number) {
    const std::size_t first = number * batch, last = std::min(first + batch, order.size());
    std::vector<const e2egraph::Jet*> members;
    for (std::size_t i = first; i < last; ++i)
      members.push_back(&jets[order[i]].jet);
    const Stopwatch filling;
    e2egraph::Tensors tensors = e2egraph::make_tensors(tagger.bundle(), members);
    timing.tensors.add(filling.milliseconds(), members.size());
    const Stopwatch running;
    std::vector<e2egraph::Scores> scores = tagger.run(tensors);
    timing.onnx_runtime.add(running.milliseconds(), members.size());
    for (std::size_t i = first; i < last; ++i)
      jets[order[i]].scores = std::move(scores[i - first]);
  });
}

void run(const Options& options) {
  check_outputs({options.output, options.dump_nodes}, options.events, options.bundle);
  const e2egraph::Tagger tagger(options.bundle, 1, options.variant);
  e2egraph::EventFile file(options.events);
  Sink output(options.output);
  const e2egraph::Metadata& metadata = tagger.bundle().metadata;
  const auto columns = node_columns(metadata.inputs);
  std::optional<Sink> nodes;
  if (!options.dump_nodes.empty()) {
    nodes.emplace(options.dump_nodes, true);
    nodes->write(node_head(columns));
  }
  const bool csv = options.format == "csv";
  nlohmann::json entries = nlohmann::json::array();
  const std::vector<Part> parts = parts_of(metadata.outputs);
  if (csv)
    output.write(csv_head(parts));
  Timing timing;
  std::size_t total = 0, cut = 0, without_nodes = 0;
  const std::size_t wanted = batches_a_load * static_cast<std::size_t>(options.batch) *
                             static_cast<std::size_t>(options.threads);
  for (auto events = load(file, wanted); !events.empty(); events = load(file, wanted)) {
    for (int pass = 0; pass < options.repeat; ++pass) {
      std::vector<Scored> jets = make_jets(tagger, events, options.threads, timing);
      score(tagger, jets, options, timing);
      if (pass > 0)
        continue;
      for (const Scored& jet : jets) {
        ++total;
        cut += jet.jet.cut != e2egraph::Cut::none;
        without_nodes += jet.without_nodes();
        if (csv)
          output.write(csv_line(jet, parts));
        else
          entries.push_back(json_entry(jet, parts));
        if (nodes && jet.jet.cut == e2egraph::Cut::none)
          nodes->write(node_block(jet, columns));
      }
    }
  }
  if (!csv) {
    nlohmann::json document{{"bundle", options.bundle},   {"model", metadata.model},   {"batch", options.batch},
                            {"threads", options.threads}, {"repeat", options.repeat}, {"jets", entries},
                            {"timing", timing.summary()}};
    document.update(json_columns(metadata.outputs));
    output.write(document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  output.finish();
  if (nodes)
    nodes->finish();
  std::cerr << total - cut - without_nodes << " jets scored, " << cut << " outside the bundle's jet selection";
  if (without_nodes > 0)
    std::cerr << ", " << without_nodes << " without nodes (score -1, prediction nan)";
  std::cerr << "\n" << timing.table();
}

}  // namespace runner

int main(int argc, char** argv) {
  try {
    const runner::Options options = runner::parse({argv + 1, argv + argc});
    if (options.help)
      std::cout << runner::usage << "\n";
    else
      runner::run(options);
    return 0;
  } catch (const runner::UsageError& error) {
    std::cerr << "e2e_infer: " << error.what() << "\n";
    return 2;
  } catch (const e2egraph::InputError& error) {
    std::cerr << "e2e_infer: " << error.what() << "\n";
  } catch (const std::bad_alloc&) {
    std::cerr << "e2e_infer: the memory does not suffice; lower --batch or --threads.\n";
  } catch (const std::exception& error) {
    std::cerr << "e2e_infer: a fault in e2e_infer (" << error.what() << "); please report it.\n";
  }
  return 1;
}
