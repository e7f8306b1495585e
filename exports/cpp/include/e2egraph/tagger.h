// A bundle as a callable: events in; class probabilities and predicted quantities of their jets out.
#ifndef E2EGRAPH_TAGGER_H
#define E2EGRAPH_TAGGER_H

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "e2egraph/bundle.h"
#include "e2egraph/session.h"
#include "e2egraph/tensors.h"

namespace e2egraph {

class Tagger {
public:
  // `threads`: of ONNX Runtime inside one operator; `variant`: see Session. InputError: see Bundle::read and Session.
  explicit Tagger(const std::string& folder, int threads = 1, const std::string& variant = "")
      : bundle_(Bundle::read(folder)), session_(bundle_, threads, variant) {}

  const Bundle& bundle() const { return bundle_; }

  // The jets of an event, in order, with their nodes; clusters are found where it has none. InputError: see EventJets.
  std::vector<Jet> jets(const Event& event) const {
    EventJets maker(bundle_, event);
    std::vector<Jet> result;
    for (const JetAxis& axis : maker.axes())
      result.push_back(maker.make(axis));
    return result;
  }

  // Scores in the order of `jets`, all of which must have passed the selection (cut is none); for a jet without nodes
  // scores_without_nodes. One batch, padded to its longest jet: jets of similar length together cost least. May be
  // called from several threads at once.
  std::vector<Scores> scores(const std::vector<const Jet*>& jets) const {
    std::vector<Scores> result(jets.size(), scores_without_nodes(bundle_.metadata.outputs));
    std::vector<const Jet*> with_nodes;
    for (const Jet* jet : jets)
      if (!jet->nodes.empty())
        with_nodes.push_back(jet);
    if (with_nodes.empty())
      return result;
    Tensors tensors = make_tensors(bundle_, with_nodes);
    std::vector<Scores> found = session_.run(tensors);
    for (std::size_t i = 0, next = 0; i < jets.size(); ++i)
      if (!jets[i]->nodes.empty())
        result[i] = std::move(found[next++]);
    return result;
  }

  // Scores of tensors that hold jets with nodes alone.
  std::vector<Scores> run(Tensors& tensors) const { return session_.run(tensors); }

private:
  Bundle bundle_;
  Session session_;
};

}  // namespace e2egraph

#endif
