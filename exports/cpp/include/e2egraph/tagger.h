// A bundle as a callable: events in; class probabilities and predicted quantities of their jets out.
#ifndef E2EGRAPH_TAGGER_H
#define E2EGRAPH_TAGGER_H

#include <string>
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

  // The jets of an event, in order, with their nodes. InputError: see EventJets.
  std::vector<Jet> jets(const Event& event) const {
    EventJets maker(bundle_, event);
    std::vector<Jet> result;
    for (const JetAxis& axis : event.jets)
      result.push_back(maker.make(axis));
    return result;
  }

  // Scores in the order of `jets`, all of which must have passed the selection (cut is none). One batch, padded to its
  // longest jet: jets of similar length together cost least. May be called from several threads at once.
  std::vector<Scores> scores(const std::vector<const Jet*>& jets) const {
    if (jets.empty())
      return {};
    Tensors tensors = make_tensors(bundle_, jets);
    return session_.run(tensors);
  }

  std::vector<Scores> run(Tensors& tensors) const { return session_.run(tensors); }

private:
  Bundle bundle_;
  Session session_;
};

}  // namespace e2egraph

#endif
