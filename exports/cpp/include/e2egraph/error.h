// Bad input: the one exception that this library throws on purpose.
#ifndef E2EGRAPH_ERROR_H
#define E2EGRAPH_ERROR_H

#include <stdexcept>

namespace e2egraph {

// One sentence that names the file, key, event or jet at fault, and what to do.
class InputError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

}  // namespace e2egraph

#endif
