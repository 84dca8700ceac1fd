"""Tests of txregistry.web.routes: requests and answers, on a registry in memory."""
