#pragma once

class CaloGeometryRecord {};
