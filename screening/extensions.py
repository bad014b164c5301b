"""The Flask extensions."""

from flask_alembic import Alembic
from flask_babel import Babel
from flask_sqlalchemy_lite import SQLAlchemy
from flask_wtf import CSRFProtect

from screening.storage.tables import Base

db = SQLAlchemy()
alembic = Alembic(run_mkdir=False, metadatas=Base.metadata)
babel = Babel()
csrf = CSRFProtect()
