#pragma once

class MagneticField {};
