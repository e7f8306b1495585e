// e2e_flow: the particles of events of a node file, by a particle-flow bundle.
//
// Exit codes: 0 done, 1 bad input or failed work, 2 wrong usage.
#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

#include "e2egraph/element_file.h"
#include "e2egraph/particle_flow.h"
#include "options.h"
#include "output.h"
#include "paths.h"

namespace runner {

inline constexpr const char* flow_usage =
    "usage: e2e_flow BUNDLE ELEMENTS [--decoding hard|soft] [--threads 1] [--output FILE]";

struct FlowOptions {
  std::string bundle, elements, output;
  bool soft = false, help = false;
  int threads = 1;
};

FlowOptions parse_flow(const std::vector<std::string>& words) {
  FlowOptions options;
  const auto places = places_of(words, flow_usage, [&](const std::string& word, const std::string& value) {
    if (word == "--threads")
      options.threads = whole_number(word, value, 1024);
    else if (word == "--output")
      options.output = value;
    else if (word == "--decoding" && (value == "hard" || value == "soft"))
      options.soft = value == "soft";
    else if (word == "--decoding")
      throw UsageError("--decoding " + value + ": give hard or soft.");
    else
      return false;
    return true;
  });
  options.help = !places;
  if (options.help)
    return options;
  if (places->size() != 2)
    throw UsageError(std::string("give one bundle and one node file; ") + flow_usage + ".");
  options.bundle = places->at(0);
  options.elements = places->at(1);
  return options;
}

void run_flow(const FlowOptions& options) {
  check_outputs({options.output}, options.elements, options.bundle);
  e2egraph::Decoding decoding;
  decoding.soft = options.soft;
  const e2egraph::ParticleFlow flow(options.bundle, decoding, options.threads);
  e2egraph::ElementFile file(options.elements);
  flow.check(file);
  Sink output(options.output);
  output.write("run,lumi,event,element,class,charge,pt,eta,phi,energy,pileup,probability\n");
  std::size_t events = 0, empty = 0, cut = 0, found = 0;
  for (e2egraph::ElementEvent event; file.next(event);) {
    ++events;
    empty += event.size() == 0;
    cut += event.size() > flow.bundle().cap;
    for (const e2egraph::Candidate& candidate : flow.candidates(event, file.names(), file.path())) {
      ++found;
      std::string line = std::to_string(event.run) + "," + std::to_string(event.lumi) + "," +
                         std::to_string(event.event) + "," + std::to_string(candidate.element) + "," +
                         flow.bundle().classes[candidate.particle_class] + "," + std::to_string(candidate.charge);
      for (const float value :
           {candidate.pt, candidate.eta, candidate.phi, candidate.energy, candidate.pileup, candidate.probability})
        line += "," + shortest_exact(value);
      output.write(line + "\n");
    }
  }
  output.finish();
  std::cerr << found << " candidates of " << events << " events";
  if (empty > 0)
    std::cerr << ", " << empty << " of them without elements";
  if (cut > 0)
    std::cerr << ", " << cut << " of them cut to the " << flow.bundle().cap << " elements that the network reads";
  std::cerr << "\n";
}

}  // namespace runner

int main(int argc, char** argv) {
  try {
    const runner::FlowOptions options = runner::parse_flow({argv + 1, argv + argc});
    if (options.help)
      std::cout << runner::flow_usage << "\n";
    else
      runner::run_flow(options);
    return 0;
  } catch (const runner::UsageError& error) {
    std::cerr << "e2e_flow: " << error.what() << "\n";
    return 2;
  } catch (const e2egraph::InputError& error) {
    std::cerr << "e2e_flow: " << error.what() << "\n";
  } catch (const std::bad_alloc&) {
    std::cerr << "e2e_flow: the memory does not suffice; give events of fewer elements.\n";
  } catch (const std::exception& error) {
    std::cerr << "e2e_flow: a fault in e2e_flow (" << error.what() << "); please report it.\n";
  }
  return 1;
}
