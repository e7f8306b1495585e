// Runs the producers and their reader, compiled against the stand-ins, on one made-up event.
//   describe MODULE                          the parameters: name, type, default, tab-separated
//   run BUNDLE [WORD ...] [NAME=VALUE ...]   the deposits that the reader makes, the jets' seeds, and for each output
//                                            (class or quantity) and jet what the producer and the library say
//   tags BUNDLE [WORD ...] [NAME=VALUE ...]  the TagInfos' features, and what CMSSW's own producer would make of them
// WORD: no-vertex, no-jets, unknown-module, nan (a bad deposit of each kind), bad-jet. NAME: a parameter; of lists,
// matchedStripHits can be filled and the others emptied.
#include <any>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "DataFormats/BTauReco/interface/DeepBoostedJetTagInfo.h"
#include "DataFormats/Common/interface/ValueMap.h"
#include "DataFormats/Common/interface/View.h"
#include "DataFormats/EcalDetId/interface/EBDetId.h"
#include "DataFormats/JetReco/interface/Jet.h"
#include "DataFormats/TrackReco/interface/Track.h"
#include "EventReader.h"
#include "FWCore/Framework/interface/MakerMacros.h"
#include "cmssw_stock_client.h"
#include "e2egraph/tagger.h"

namespace {

using edm::ParameterSetDescription;

constexpr const char* jet_tags = "E2EGraphJetTagsProducer";
constexpr const char* tag_infos = "E2EGraphTagInfoProducer";
const float nothing = std::nanf("");

ParameterSetDescription description(const std::string& module) {
  edm::ConfigurationDescriptions descriptions;
  edm::standin::plugins().at(module).describe(descriptions);
  return descriptions.description;
}

edm::ParameterSet configuration(const std::string& module, const std::string& bundle,
                                const std::vector<std::string>& settings) {
  edm::ParameterSet config;
  for (const auto& parameter : description(module).parameters)
    config.set(parameter.name, parameter.value);
  config.set("bundle", edm::FileInPath(bundle + "/metadata.json"));
  for (const char* name : {"softDropMass", "tau1", "tau2", "tau3"})
    config.set(name, edm::InputTag(name));
  for (const std::string& setting : settings) {
    const std::string name = setting.substr(0, setting.find('=')), value = setting.substr(setting.find('=') + 1);
    if (name == "seedDepth")
      config.set(name, std::atoi(value.c_str()));
    else if (name == "batchSize")
      config.set(name, static_cast<unsigned int>(std::atoi(value.c_str())));
    else if (name == "variant" || name == "trackDirection")
      config.set(name, value);
    else if (name == "stripHits" || name == "matchedStripHits")
      config.set(name, value.empty() ? std::vector<edm::InputTag>()
                                     : std::vector<edm::InputTag>{edm::InputTag("siStripMatchedRecHits", value)});
    else
      config.set(name, edm::InputTag(value.c_str()));
  }
  return config;
}

template <typename Hit>
edmNew::DetSet<Hit> hits_in(unsigned int subdetector, unsigned int layer, std::vector<Hit> hits) {
  return {1U << 28 | subdetector << 25 | layer << 20, std::move(hits)};
}

std::vector<reco::Jet> jets{
    {500, 0.3, 0.3, 80}, {0, 0.3, 0.3, 0}, {450, -1.0, 3.1, 60}, {420, 1.2, -2.0, 70}, {410, 0.0, 1.0, 5}};

edm::Event make_event(const std::set<std::string>& words) {
  edm::Event event;
  std::vector<reco::Vertex> vertices;
  if (words.count("no-vertex") == 0)
    vertices = {{{0.1, -0.2, 3.0}, {0.003, 0.004, 0.01}}, {{0, 0, -5}, {1, 1, 1}}};
  event.add("offlinePrimaryVertices", vertices);
  const math::XYZPoint at{0.15, -0.1, 3.5};
  const auto good = reco::Track::highPurity, poor = reco::Track::loose;
  const bool bad = words.count("nan") != 0;
  reco::TrackCollection tracks{{10, 0.25, 0.3, -1, at, good},
                                                   {0.8, -0.5, 3.0, 1, at, good},
                                                   {0.5, 0.25, 0.3, 1, at, good},
                                                   {10, 0.25, 0.3, 1, at, poor},
                                                   {10, 0.25, 0.3, 0, at, good},
                                                   {0.55, 0.25, 0.3, 1, at, good},
                                                   {10, 3.1, 0.3, 1, at, good}};
  if (bad)
    tracks.insert(tracks.end(), {{10, 0.25, std::nan(""), 1, at, good},
                                 {10, 0.25, 0.3, 1, math::XYZPoint(std::nan(""), 0, 0), good}});
  event.add("generalTracks", tracks);
  using Pixel = SiPixelRecHit;
  SiPixelRecHitCollection pixels{hits_in<Pixel>(1, 1, {{{3, 1, 0}, true}, {{9, 9, 9}, false}}),
                                 hits_in<Pixel>(1, 4, {{{14, 3, 2}, true}}),
                                 hits_in<Pixel>(2, 1, {{{5, 5, 40}, true}})};
  if (bad)
    pixels.push_back(hits_in<Pixel>(1, 2, {{{7, std::numeric_limits<float>::infinity(), 0}, true}}));
  if (words.count("unknown-module") != 0)
    pixels.push_back({pixels.front().detId() | 0xFFU, {{{1, 1, 1}, true}}});
  event.add("siPixelRecHits", pixels);
  using Strip = SiStripRecHit2D;
  event.add("siStripMatchedRecHits:rphiRecHit",
            SiStripRecHit2DCollection{hits_in<Strip>(3, 1, {{{25, 5, 1}, true}}),
                                      hits_in<Strip>(3, 3, {{{40, 5, 1}, true}})});
  event.add("siStripMatchedRecHits:stereoRecHit",
            SiStripRecHit2DCollection{hits_in<Strip>(5, 2, {{{69, 10, 4}, true}})});
  event.add("siStripMatchedRecHits:matchedRecHit",
            SiStripMatchedRecHit2DCollection{hits_in<SiStripMatchedRecHit2D>(3, 2, {{{33, 7, 2}, true}})});
  EcalRecHitCollection barrel{{EBDetId(1, 1), 2.5F, 0.5F},
                                                         {EBDetId(-85, 360), 1.5F, -1.0F},
                                                         {EBDetId(20, 27), 7.5F, 0.25F},
                                                         {EBDetId(21, 27), 0.0F, 0.0F},
                                                         {EBDetId(22, 27), -1.0F, 0.0F}};
  EcalRecHitCollection endcaps{{CaloGeometry::endcap(true, 1490, 45), 3.0F, 9.0F},
                                                         {CaloGeometry::endcap(true, 1492, 45), 1.0F, 9.0F},
                                                         {CaloGeometry::endcap(false, 2990, 45), 4.0F, 9.0F},
                                                         {CaloGeometry::endcap(true, 1470, 45), 5.0F, 9.0F},
                                                         {CaloGeometry::endcap(true, 1600, 45), -5.0F, 9.0F}};
  HBHERecHitCollection towers{{{4, 4, 1}, 5.0F},
                                             {{4, 4, 2}, 2.0F},
                                             {{4, 4, 3}, -9.0F},
                                             {{5, 4, 2}, 30.0F},
                                             {{-12, 37, 1}, 6.0F},
                                             {{21, 71, 1}, 8.0F},
                                             {{-28, 1, 1}, 3.0F},
                                             {{-29, 1, 1}, 1.0F}};
  if (bad) {
    // A crystal without energy is left out; one without time alone keeps its energy.
    barrel.push_back({EBDetId(23, 27), nothing, 0.0F});
    barrel.push_back({EBDetId(24, 27), 4.5F, nothing});
    endcaps.push_back({CaloGeometry::endcap(true, 1700, 45), nothing, 9.0F});
    towers.push_back({{4, 5, 1}, nothing});
  }
  event.add("reducedEcalRecHitsEB", barrel);
  event.add("reducedEcalRecHitsEE", endcaps);
  event.add("hbhereco", towers);
  const edm::View<reco::Jet> view(jets);
  event.add("ak8PFJetsPuppi", view);
  return event;
}

// Value maps of the jets in `event`: a multiple of the jet's number, so that tau1 of the first jet is 0; tau1 of the
// third is no number where it is asked for.
void add_substructure(edm::Event& event, bool bad) {
  const auto handle = event.getHandle(edm::EDGetTokenT<edm::View<reco::Jet>>("ak8PFJetsPuppi"));
  const auto add = [&](const std::string& name, float step) {
    std::vector<float> values;
    for (std::size_t i = 0; i < jets.size(); ++i)
      values.push_back(bad && name == "tau1" && i == 2 ? nothing : step * static_cast<float>(i));
    edm::ValueMap<float> map;
    edm::ValueMap<float>::Filler filler(map);
    filler.insert(handle, values.begin(), values.end());
    filler.fill();
    event.add(name, map);
  };
  add("softDropMass", 30);
  add("tau1", 0.5F);
  add("tau2", 0.25F);
  add("tau3", 0.2F);
}

void print(const e2egraph::cmssw::Deposits& deposits, const e2egraph::InputChannels& channels) {
  const e2egraph::Event& event = deposits.event;
  std::cout << "event " << event.run << " " << event.lumi << " " << event.event << " " << event.n_pv << "\n";
  for (const auto& t : event.tracks)
    std::cout << "track " << t.pt << " " << t.eta << " " << t.phi << " " << t.d0 << " " << t.dz << " " << t.d0_sig
              << " " << t.dz_sig << " " << t.charge << "\n";
  for (const auto& hit : event.hits)
    for (const auto& row : channels.rows())
      if (row.channel == hit.channel)
        std::cout << "hit " << row.name << " " << hit.x << " " << hit.y << " " << hit.z << "\n";
  for (const auto& c : event.ecal)
    std::cout << "crystal " << c.ieta << " " << c.iphi << " " << c.energy << " " << c.time << "\n";
  for (const auto& tower : event.hcal)
    std::cout << "tower " << tower.ieta << " " << tower.iphi << " " << tower.energy << "\n";
}

// Names of all outputs in order, classes first where they come first.
std::vector<std::string> names(const e2egraph::Outputs& outputs) {
  std::vector<std::string> result;
  for (const e2egraph::Head& head : outputs.heads)
    result.insert(result.end(), head.columns.begin(), head.columns.end());
  return result;
}

// The jets as the library takes them, with the seeds that it finds.
std::vector<e2egraph::JetAxis> axes(const e2egraph::cmssw::Deposits& deposits) {
  std::vector<e2egraph::JetAxis> result;
  for (std::size_t i = 0; i < jets.size(); ++i) {
    const auto number = static_cast<float>(i);
    e2egraph::JetAxis axis;
    axis.pt = static_cast<float>(jets[i].pt());
    axis.eta = static_cast<float>(jets[i].eta());
    axis.phi = static_cast<float>(jets[i].phi());
    axis.mass = static_cast<float>(jets[i].mass());
    axis.softdrop_mass = 30 * number;
    axis.tau21 = i == 0 ? 0.0F : 0.5F;
    axis.tau32 = i == 0 ? 0.0F : 0.2F * number / (0.25F * number);
    const e2egraph::Seed seed = e2egraph::find_seed(deposits.seed_towers, axis.eta, axis.phi);
    axis.seed_ieta = seed.ieta;
    axis.seed_iphi = seed.iphi;
    result.push_back(axis);
    std::cout << "seed " << i << " " << seed.ieta << " " << seed.iphi << "\n";
    std::cout << "jet " << axis.pt << " " << axis.eta << " " << axis.phi << " " << axis.mass << " "
              << axis.softdrop_mass << " " << axis.tau21 << " " << axis.tau32 << "\n";
  }
  return result;
}

// What the library itself says of each jet, from the reader's deposits: -1 or NaN where it refuses one.
std::vector<std::vector<float>> scores(const std::string& bundle, const e2egraph::cmssw::Deposits& deposits) {
  const e2egraph::Tagger tagger(bundle);
  e2egraph::Event event = deposits.event;
  std::vector<std::vector<float>> result;
  for (const e2egraph::JetAxis& axis : axes(deposits)) {
    event.jets = {axis};
    e2egraph::Scores scores = e2egraph::scores_without_nodes(tagger.bundle().metadata.outputs);
    try {
      const e2egraph::Jet jet = tagger.jets(event).front();
      if (jet.cut == e2egraph::Cut::none)
        scores = tagger.scores({&jet}).front();
    } catch (const e2egraph::InputError& error) {
      std::cout << "refused " << error.what() << "\n";
    }
    std::vector<float> values;
    for (const e2egraph::Head& head : tagger.bundle().metadata.outputs.heads) {
      const auto& part = head.of_classes ? scores.probabilities : scores.predictions;
      values.insert(values.end(), part.begin(), part.end());
    }
    result.push_back(values);
  }
  return result;
}

// The event after `module` has run on it.
edm::Event produced(const std::string& module, const edm::ParameterSet& config, const edm::EventSetup& setup,
                    const std::set<std::string>& words) {
  const bool bad = words.count("bad-jet") != 0;
  if (bad)
    jets[3] = reco::Jet(420, 1.2, std::nan(""), 70);
  edm::Event event = make_event(words);
  if (words.count("no-jets") != 0)
    event.add("ak8PFJetsPuppi", edm::View<reco::Jet>(std::vector<reco::Jet>()));
  else
    add_substructure(event, bad);
  edm::standin::plugins().at(module).make(config)(event, setup);
  return event;
}

edm::EventSetup make_setup() {
  edm::EventSetup setup;
  setup.add(MagneticField());
  setup.add(TrackerGeometry());
  setup.add(TrackerTopology());
  setup.add(CaloGeometry());
  return setup;
}

void run(const std::string& folder, const std::set<std::string>& words, const std::vector<std::string>& settings) {
  const edm::ParameterSet config = configuration(jet_tags, folder, settings);
  const edm::EventSetup setup = make_setup();
  const edm::Event event = produced(jet_tags, config, setup, words);
  const e2egraph::Bundle bundle = e2egraph::Bundle::read(folder);
  const auto map_of = [&](const std::string& name) -> const edm::ValueMap<float>& {
    return event.get(edm::EDGetTokenT<edm::ValueMap<float>>("module:" + e2egraph::product_label(name)));
  };
  const std::vector<std::string> outputs = names(bundle.metadata.outputs);
  if (words.count("no-jets") != 0) {
    for (const std::string& name : outputs)
      map_of(name);
    return;
  }
  edm::ConsumesCollector collector;
  const e2egraph::cmssw::EventReader reader(config, bundle.metadata, collector);
  const auto deposits = reader.read(event, setup);
  print(deposits, bundle.metadata.inputs.channels);
  const auto expected = scores(folder, deposits);
  const auto view = event.getHandle(edm::EDGetTokenT<edm::View<reco::Jet>>("ak8PFJetsPuppi"));
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const auto& map = map_of(outputs[k]);
    for (std::size_t i = 0; i < jets.size(); ++i)
      std::cout << "score " << outputs[k] << " " << i << " " << map[view->ptrAt(i)] << " " << expected[i][k] << "\n";
  }
}

void tags(const std::string& folder, const std::set<std::string>& words, const std::vector<std::string>& settings) {
  const edm::ParameterSet config = configuration(tag_infos, folder, settings);
  const edm::Event event = produced(tag_infos, config, make_setup(), words);
  const auto& infos = event.get(edm::EDGetTokenT<std::vector<reco::DeepBoostedJetTagInfo>>("module:"));
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].jet().key() != i)
      throw cms::Exception("Test") << "the TagInfo of jet " << i << " is of another";
    for (const auto& [name, values] : infos[i].features().get_all()) {
      std::cout << "feature " << i << " " << name;
      for (const float value : values)
        std::cout << " " << value;
      std::cout << "\n";
    }
  }
  const stock::Tags found = stock::tags(folder, infos);
  for (std::size_t i = 0; i < found.scores.size(); ++i)
    for (std::size_t k = 0; k < found.labels.size(); ++k)
      std::cout << "tag " << found.labels[k] << " " << i << " " << found.scores[i][k] << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::cout << std::setprecision(9);
  try {
    const std::string command = arguments.at(0), target = arguments.at(1);
    std::vector<std::string> settings;
    std::set<std::string> words;
    for (std::size_t i = 2; i < arguments.size(); ++i) {
      if (arguments[i].find('=') != std::string::npos)
        settings.push_back(arguments[i]);
      else
        words.insert(arguments[i]);
    }
    if (command == "describe")
      for (const auto& parameter : description(target).parameters)
        std::cout << parameter.name << "\t" << parameter.type << "\t" << parameter.text << "\n";
    else if (command == "tags")
      tags(target, words, settings);
    else
      run(target, words, settings);
  } catch (const cms::Exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
