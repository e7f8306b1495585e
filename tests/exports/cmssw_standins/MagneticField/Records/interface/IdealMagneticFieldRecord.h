#pragma once

class IdealMagneticFieldRecord {};
